//! Header fields and bodies with a grammar of their own, read as their standards say.
//!
//! These are foreign bytes: every reader takes any text, never panics, and says "not of this form" rather than guess. A
//! field that is malformed is ignored or refused as a whole, as its standard demands. `scripts/fuzz fields` feeds them, and what it
//! found is replayed by the tests.

mod alt_svc;
mod cache;
mod cookie;
mod csp;
mod hsts;
mod problem;
mod proxy_status;
mod structured;

pub use alt_svc::{AltSvc, Alternative};
pub use cache::{CacheReading, CacheWord, age_s};
pub use cookie::{Cookie, SameSite};
pub use csp::Policy;
pub use hsts::Hsts;
pub use problem::Problem;
pub use proxy_status::ProxyError;
pub use structured::{Bare, Item, list};

use landfall_evidence::HttpResponse;

/// All field lines of one name as one value, joined as RFC 9110, section 5.3, has it. `None` when there is none.
pub(crate) fn joined(response: &HttpResponse, name: &str) -> Option<String> {
    let lines: Vec<&str> =
        response.headers.iter().filter(|h| h.name == name).map(|h| h.value.as_str()).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// Puts one text through every reader here. For tests and fuzzing: the outcome is nothing, only that there is one.
pub fn read_all(text: &str) {
    let _ = structured::list(text);
    let _ = AltSvc::parse(text);
    let _ = ProxyError::parse(text);
    let _ = Hsts::parse(text);
    let _ = Cookie::parse(text);
    let _ = Policy::parse(&[text]);
    let _ = Problem::parse(text, 500);
    for name in cache::FIELDS {
        let _ = CacheReading::of(std::iter::once((*name, text)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fuzzing_and_hostile_servers_sent_is_read_without_a_panic() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/fields");
        let mut count = 0;
        for entry in std::fs::read_dir(&folder).expect("the corpus is part of the repository") {
            let bytes = std::fs::read(entry.expect("readable").path()).expect("readable");
            read_all(&String::from_utf8_lossy(&bytes));
            count += 1;
        }
        assert!(count >= 20, "only {count} inputs in {}", folder.display());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,300}") {
            read_all(&text);
        }

        #[test]
        fn any_text_of_the_letters_that_matter_is_read(text in "[a-z0-9=;,:\"\\\\ ?@*()'%{}\\[\\]-]{0,200}") {
            read_all(&text);
        }
    }
}
