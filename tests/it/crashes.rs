//! The process dies at each record of both procedures: just before it would be durable, and just after.
