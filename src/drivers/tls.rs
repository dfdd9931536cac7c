//! TLS for appliances: system roots, own CA, or pins.
