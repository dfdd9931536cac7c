//! What the nights have found, one scenario each.
