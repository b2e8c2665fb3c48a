//! What every handler shares.

use std::sync::Arc;

use landfall_monitor::{Bus, Clock, Watch};
use landfall_store::Store;

use crate::live::Liveness;
use crate::settings::Settings;

/// The state of the server. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What happens, for open pages and streams.
    pub bus: Bus,
    /// The running watch.
    pub watch: Watch,
    /// What the operator set.
    pub settings: Arc<Settings>,
    /// What this process knows of itself: is it alive, is it ready, what has it measured.
    pub live: Arc<Liveness>,
}
