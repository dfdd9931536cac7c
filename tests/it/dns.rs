//! The traffic drivers `rfc2136` and `manual` against our own zone and against a real BIND `named`, one table of cases for both;
//! and our zone against the real `nsupdate` and `dig`.

mod lab;
mod manual;
mod proxy;
mod switch;
mod zone;
