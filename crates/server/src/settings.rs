//! What the operator sets, from `[server]` of a file and from `LANDFALL_*` variables.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::billing::BillingSettings;
use crate::support::SupportSettings;

/// The settings of one server, complete.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where people reach it: `https://watch.example.com`. Links in alerts begin with it.
    pub public_url: String,
    /// Hops in front whose `X-Forwarded-For` is believed; from anybody else the header changes nothing.
    pub trusted_proxies: Vec<IpNet>,
    /// Private ranges that monitors and channels may reach all the same.
    pub allow_egress: Vec<IpNet>,
    /// Where backups go; `None` makes none.
    pub backup_folder: Option<PathBuf>,
    /// How long raw results are kept.
    pub keep_results: Duration,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// The largest body that is read, in bytes.
    pub body_byte: usize,
    /// Whether strangers may make an organisation of their own.
    pub open_registration: bool,
    /// Addresses that may read `/metrics` of the whole server, and have `/probe` made, without a key. Loopback by default.
    pub metrics_from: Vec<IpNet>,
    /// Whether the operator has a mail server: invitations are mailed then, instead of shown as links.
    pub mail: bool,
    /// Payments. Off by default.
    pub billing: BillingSettings,
    /// The support chat's model and the bots. Off by default.
    pub support: SupportSettings,
    /// How many requests a client may make.
    pub limits: crate::limits::Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8000".into(),
            trusted_proxies: Vec::new(),
            allow_egress: Vec::new(),
            backup_folder: None,
            keep_results: Duration::from_secs(14 * 24 * 3600),
            request_timeout: Duration::from_secs(30),
            body_byte: 1024 * 1024,
            open_registration: false,
            metrics_from: vec![
                IpNet::new_assert(IpAddr::from([127, 0, 0, 0]), 8),
                IpNet::new_assert(Ipv6Addr::LOCALHOST.into(), 128),
            ],
            mail: false,
            billing: BillingSettings::default(),
            support: SupportSettings::default(),
            limits: crate::limits::Limits::default(),
        }
    }
}
