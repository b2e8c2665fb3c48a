//! The handle by which the rest of the server reaches the running watch. Everything durable goes through the store; this
//! only says that there is something to look at.

use std::sync::Arc;

use tokio::sync::Notify;

/// A handle to the running watch. Cloning is cheap; without a watch behind it a nudge is simply not heard.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    nudge: Arc<Notify>,
}

impl Watch {
    /// Monitors were changed, or an audit was queued: look now, and not at the next round.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// Waits for a nudge.
    pub async fn nudged(&self) {
        self.nudge.notified().await;
    }
}
