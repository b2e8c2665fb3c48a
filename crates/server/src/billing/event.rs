//! Stripe's events, as far as they are read. Everything that may be missing, null, an id or an expanded object is taken as
//! such: the shape depends on the API version of the account.
//!
//! Sources: <https://docs.stripe.com/api/events/object>, <https://docs.stripe.com/api/checkout/sessions/object>,
//! <https://docs.stripe.com/api/subscriptions/object>, <https://docs.stripe.com/api/invoices/object> (since 2025-03-31 an
//! invoice names its subscription under `parent.subscription_details`).

use jiff::Timestamp;
use serde_json::Value;

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) created: Timestamp,
    pub(crate) live: bool,
    pub(crate) object: Value,
}

/// Longest id or type that is believed to be one.
const WORD: usize = 255;

impl Event {
    /// Reads an event.
    ///
    /// # Errors
    /// Where it is not one, with the place.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let json: Value = serde_json::from_slice(body).map_err(|e| format!("the body is not JSON: {e}"))?;
        let word = |name: &str| {
            json.get(name)
                .and_then(Value::as_str)
                .filter(|s| !s.is_empty() && s.len() <= WORD)
                .map(str::to_owned)
                .ok_or_else(|| format!("the event has no {name:?} that is a short text"))
        };
        let seconds = json
            .get("created")
            .and_then(Value::as_i64)
            .ok_or("the event has no \"created\" that is a time in seconds")?;
        let object = json
            .pointer("/data/object")
            .filter(|o| o.is_object())
            .ok_or("the event has no object under \"data\"")?;
        Ok(Self {
            id: word("id")?,
            kind: word("type")?,
            created: Timestamp::from_second(seconds).map_err(|_| "the event's \"created\" is no time")?,
            live: json.get("livemode").and_then(Value::as_bool).unwrap_or(false),
            object: object.clone(),
        })
    }

    /// The customer that its object names.
    pub(crate) fn customer(&self) -> Option<&str> {
        reference(self.object.get("customer"))
    }

    /// A text of its object.
    pub(crate) fn text(&self, pointer: &str) -> Option<&str> {
        self.object.pointer(pointer).and_then(Value::as_str).filter(|s| !s.is_empty())
    }

    /// Something that its object refers to.
    pub(crate) fn refers(&self, pointer: &str) -> Option<&str> {
        reference(self.object.pointer(pointer))
    }

    /// The subscription that an invoice is for.
    pub(crate) fn invoice_subscription(&self) -> Option<&str> {
        self.refers("/parent/subscription_details/subscription").or_else(|| self.refers("/subscription"))
    }

    /// A value that we put into the metadata of what was bought.
    pub(crate) fn metadata(&self, name: &str) -> Option<&str> {
        ["/metadata", "/parent/subscription_details/metadata", "/subscription_details/metadata"]
            .iter()
            .find_map(|place| self.text(&format!("{place}/{name}")))
    }

    /// The prices of a subscription's items or of an invoice's lines.
    pub(crate) fn prices(&self) -> Vec<&str> {
        ["/items/data", "/lines/data"]
            .iter()
            .filter_map(|place| self.object.pointer(place)?.as_array())
            .flatten()
            .filter_map(|item| {
                reference(item.get("price"))
                    .or_else(|| reference(item.pointer("/pricing/price_details/price")))
            })
            .collect()
    }
}

/// An id: as such, or of an expanded object.
fn reference(value: Option<&Value>) -> Option<&str> {
    let value = value?;
    value.as_str().or_else(|| value.get("id")?.as_str()).filter(|s| !s.is_empty() && s.len() <= WORD)
}
