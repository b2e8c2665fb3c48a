//! TLS handshakes that record everything and refuse nothing.
/// Root stores (placeholder until the module is written).
#[derive(Debug)]
pub struct Roots;
