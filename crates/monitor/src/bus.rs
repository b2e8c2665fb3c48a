//! What happens, told to whoever listens: pages that are open, streams of the API. Nothing durable hangs on it.

use landfall_store::{Id, OrgId};
use serde::Serialize;
use tokio::sync::broadcast;

/// Something that happened to one thing of one organisation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Happened {
    /// Whose it is.
    #[serde(skip)]
    pub org: OrgId,
    /// What kind of thing changed: `monitor`, `incident`, `report`, `heartbeat`, `outbox`, `job`.
    pub kind: &'static str,
    /// Its id.
    pub id: Id,
    /// In what way: `checked`, `opened`, `diagnosed`, `resolved`, `progress`, …
    pub what: &'static str,
    /// Details, by kind.
    pub detail: serde_json::Value,
}

/// The bus. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Bus(broadcast::Sender<Happened>);

impl Default for Bus {
    fn default() -> Self {
        Self(broadcast::channel(1024).0)
    }
}

impl Bus {
    /// Tells everybody who listens; nobody may be listening.
    pub fn tell(&self, happened: Happened) {
        let _ = self.0.send(happened);
    }

    /// Listens from now on. A listener that falls behind by more than 1024 loses the oldest, and is told so.
    pub fn listen(&self) -> broadcast::Receiver<Happened> {
        self.0.subscribe()
    }
}
