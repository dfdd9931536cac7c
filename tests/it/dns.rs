//! The traffic drivers `rfc2136` and `manual` against our own zone and against real servers (BIND, Knot DNS, PowerDNS), one table of cases for all;
//! and our zone against the real `nsupdate` and `dig`.

mod lab;
mod manual;
pub mod proxy;
mod resolvers;
mod switch;
mod windows;
mod zone;
