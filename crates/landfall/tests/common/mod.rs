//! The harness of the end-to-end tests: real servers that others wrote, servers that misbehave on purpose, and the binary
//! pointed at them. Everything listens on loopback, and everything that is started ends with the test that started it.

pub(crate) mod backend;
pub(crate) mod call;
pub(crate) mod dns;
pub(crate) mod hostile;
pub(crate) mod json;
pub(crate) mod pki;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod site;
pub(crate) mod web;
