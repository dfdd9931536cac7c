//! Hooks: webhooks and programs.
