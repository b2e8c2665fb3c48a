//! What every handler shares.

use std::sync::Arc;

use landfall_monitor::{Bus, Clock};
use landfall_store::Store;

/// The state of the server. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What happens, for open pages and streams.
    pub bus: Bus,
}
