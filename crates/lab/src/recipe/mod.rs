//! Recipes: a world in one file, built on loopback from real servers, with the truth about it.
//!
//! ```toml
//! title = "nginx in front of a closed port"
//! [truth]
//! causes = ["edge-origin-refused"]
//! broken = "edge-origin"
//! half   = "tuned"
//! inside = false
//! [audit]
//! config = """
//! [target]
//! production = "https://api.example.test"
//! """
//! [[server]]
//! name = "edge"
//! kind = "nginx"
//! conf = """
//! server { listen 127.0.0.1:{port:edge} ssl http2; server_name api.example.test;
//!   ssl_certificate {cert:site}; ssl_certificate_key {key:site};
//!   location / { proxy_pass http://{addr:closed}; } }
//! """
//! public = ["192.0.2.10:443"]
//! ```
//!
//! # The world
//! Servers are started in the order of the file and each is waited for. Those that listen on a port take it from
//! `{port:NAME}`; `{addr:NAME}` is `127.0.0.1:PORT`. `NAME` is a server's name, or one that begins with it and a hyphen
//! for further ports (`{port:edge-plain}`). Four more names are always there: `dns` and `resolver` (the lab's authoritative
//! and recursive server), `closed` (refuses) and `silent` (drops). `{cert:NAME}`, `{key:NAME}` and `{pem:NAME}` are files of
//! a certificate, `{ca}` the trust anchors, `{dir}` the world's folder, `{log:NAME}` what a server wrote, `{now}` and
//! `{now-SECONDS}` a time. In the files of a project only ports are filled in.
//!
//! A public address that no server takes refuses connections. `[[closed]]` says so expressly, `[[silent]]` is an address
//! that drops packets. Nothing ever leaves this machine: the audit of a recipe may connect to loopback alone.
//!
//! # Requests before the audit
//! A log has nothing to tell, a cache nothing to serve and a limiter nothing to count until somebody has asked:
//! `[[visit]] url = "https://{addr:edge}/health"` asks, with `host`, `method`, `headers` and `times`.

mod actor;
mod format;
mod git;
mod pki;
mod placeholders;
mod ports;
mod process;
mod world;
mod zones;

pub use format::{
    Action, Anchor, AnswerSpec, AuditSpec, CertificateSpec, CommitSpec, Half, KeyKind, Kind, OneOrMore,
    PublicSpec, Recipe, RecordSpec, ResolverSpec, Sent, ServerSpec, Then, Truth, Usage, VisitSpec,
};
pub use world::{Access, Running};
