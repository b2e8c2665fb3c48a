//! TLS against servers that others wrote (`openssl s_server`, nginx, HAProxy), each with one thing wrong, and against what
//! sslscan and testssl.sh say of the same servers.

#[path = "../../../landfall/tests/common/ports.rs"]
#[expect(dead_code, reason = "each test binary uses its own part of the harness")]
mod ports;
#[path = "../../../landfall/tests/common/process.rs"]
mod process;

mod authority;
mod certificates;
mod crosscheck;
mod endpoints;
mod look;
mod servers;
