//! Broken worlds on loopback: name servers, an edge, a platform and a real backend, each with the fault that is true in it.
//!
//! A [`Scenario`] says what the world is made of and what an audit of it must conclude; [`Lab::up`] builds it from real
//! sockets and processes, and [`Access`] says how to reach it. Every port is chosen by the system, so that several worlds
//! can stand at the same time. Public addresses stay in the DNS answers, because the owner of an address is part of the
//! evidence; `connect_to` leads each of them to its listener.
//!
//! ```text
//!  prober ── recursive ─┐                       zones of world.toml
//!         ── authoritative (UDP and TCP) ───────┘
//!         ── edge: TLS (h1, h2), QUIC (h3), port 80 ── limiter ──┐ HTTP/1.1 on loopback
//!         ── platform's own name: TLS ───────────────────────────┴─ router by Host ── gunicorn (the deployment)
//!         ── gunicorn (the backend on this machine)                               └── website
//! ```

mod differences;
mod dns;
mod edge;
mod error;
mod files;
mod forward;
mod guard;
mod gunicorn;
mod lab;
mod listen;
mod platform;
mod project;
mod python;
pub mod recipe;
mod scenario;
mod serve;
mod tls;
mod website;
mod world;

pub use edge::EdgeRequest;
pub use error::LabError;
pub use lab::{Access, Lab, LabOptions};
pub use python::find as python_environment;
pub use scenario::{
    Expected, ExpectedCauses, ExpectedRateLimit, ExpectedReadiness, ExpectedVerify, Scenario, Truth, load,
    scenarios,
};
pub use world::{
    AppKind, Certificate, Chain, Commit, Deployment, Dns, Edge, EndpointSpec, Limiter, LocalBackend,
    Platform, ProjectFolder, TargetSpec, TestsSpec, World, Zone,
};
