//! The name servers: one authoritative for every zone of the world, one recursive in front of the same zones.

mod recursive;
mod server;
mod zones;

pub(crate) use server::{Role, serve};
pub(crate) use zones::Zones;
