//! The worlds, asked by real clients: every part answers as its original does, and nothing is left when a world goes.

mod clients;
mod dns;
mod edge;
mod leftovers;
mod tls;
mod truth;
