//! The durable journal on sled, with its plain copy.
