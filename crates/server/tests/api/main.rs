//! The API over a real socket, on both databases.

mod accounts;
mod bounds;
mod channels;
mod docs;
mod doors;
mod events;
mod limits;
mod monitors;
mod plans;
mod schemathesis;
mod status;
mod tenancy;
mod world;
