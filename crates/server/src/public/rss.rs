//! The feed of a status page: RSS 2.0 (rssboard.org/rss-specification).

use jiff::Timestamp;
use landfall_store::status::{PostKind, PublicStatus};

use super::status::{Seen, incident_title, post_state};
use crate::pages::parts::clean;

/// Entries that a feed holds.
const MOST: usize = 50;

struct Entry {
    title: String,
    say: String,
    at: Timestamp,
    id: String,
}

/// The feed.
pub(super) fn feed(status: &PublicStatus, seen: &Seen) -> String {
    let link = format!("{}/status/{}", seen.public_url, status.page.slug);
    let mut entries = Vec::new();
    for incident in &status.incidents {
        entries.push(Entry {
            title: format!("Trouble: {}", incident_title(incident)),
            say: "A check failed repeatedly.".into(),
            at: incident.began,
            id: format!("incident-{}", incident.id),
        });
        if let Some(end) = incident.resolved {
            entries.push(Entry {
                title: format!("Over: {}", incident_title(incident)),
                say: "Checks succeed again.".into(),
                at: end,
                id: format!("incident-{}-over", incident.id),
            });
        }
    }
    for post in &status.posts {
        let kind = match post.kind {
            PostKind::Incident => "Incident",
            PostKind::Maintenance => "Maintenance",
        };
        for (i, update) in post.updates.iter().rev().enumerate() {
            entries.push(Entry {
                title: format!("{kind}, {}: {}", post_state(&update.state), post.title),
                say: update.say.clone(),
                at: update.at,
                id: format!("post-{}-{i}", post.id),
            });
        }
    }
    entries.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
    entries.truncate(MOST);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str("<rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\"><channel>\n");
    tag(&mut out, "title", &status.page.title);
    tag(&mut out, "link", &link);
    tag(&mut out, "description", &format!("Incidents and maintenance of {}", status.page.title));
    out.push_str(&format!(
        "<atom:link href=\"{}/rss\" rel=\"self\" type=\"application/rss+xml\"/>\n",
        xml(&link)
    ));
    tag(&mut out, "lastBuildDate", &rfc822(seen.read));
    for entry in &entries {
        out.push_str("<item>\n");
        tag(&mut out, "title", &entry.title);
        tag(&mut out, "link", &link);
        tag(&mut out, "description", &entry.say);
        tag(&mut out, "pubDate", &rfc822(entry.at));
        out.push_str(&format!("<guid isPermaLink=\"false\">{}</guid>\n</item>\n", xml(&entry.id)));
    }
    out.push_str("</channel></rss>\n");
    out
}

fn tag(out: &mut String, name: &str, text: &str) {
    out.push_str(&format!("<{name}>{}</{name}>\n", xml(text)));
}

/// Text for XML 1.0, which has no place for most control characters at all (section 2.2); [`clean`] has replaced them.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A moment as RFC 822 (with the four-digit year of RFC 1123) wants it.
fn rfc822(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}
