//! Who wrote a response, and which hops it passed, in the words of the catalogue.

use landfall_evidence::HttpResponse;

use crate::catalogue::Catalogue;
use crate::signatures::{Meaning, SignatureHop};

/// Below this weight an entry needs a second sign (header of `signatures.toml`, rule 3).
const ENOUGH_ALONE_PERCENT: u8 = 60;

/// The most likely writer of a response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Author<'a> {
    /// The hop.
    pub(crate) hop: SignatureHop,
    /// Whose product it is, as the catalogue spells it.
    pub(crate) vendor: &'a str,
    /// What it says.
    pub(crate) meaning: Meaning,
    /// The signature's id.
    pub(crate) id: &'a str,
    /// Weight, 0 to 100.
    pub(crate) weight_percent: u8,
    /// Whether another hop writes the very same bytes, so that the response alone does not tell them apart.
    pub(crate) tied: bool,
}

impl Author<'_> {
    /// Whether the writer stands in front of the application.
    pub(crate) fn is_before_the_application(&self) -> bool {
        !self.hop.is_application()
    }

    /// The writer's proof in words: `signature replit-google-not-found (strong)`.
    pub(crate) fn proof(&self) -> String {
        let tie = if self.tied { "; other servers write the same bytes" } else { "" };
        format!("signature {} ({}{tie})", self.id, strength(self.weight_percent))
    }
}

/// Who wrote a response, when the catalogue knows an entry that is enough by itself.
pub(crate) fn author<'a>(response: &HttpResponse, catalogue: &'a Catalogue) -> Option<Author<'a>> {
    let reading = catalogue.read_response(response);
    let best = reading.best().filter(|m| m.weight_percent >= ENOUGH_ALONE_PERCENT)?;
    Some(Author {
        hop: best.signature.hop,
        vendor: &best.signature.vendor,
        meaning: best.signature.meaning,
        id: &best.signature.id,
        weight_percent: best.weight_percent,
        tied: !reading.same_bytes().is_empty(),
    })
}

/// A hop that a response passed.
#[derive(Debug, Clone)]
pub(crate) struct Passed<'a> {
    /// The hop.
    pub(crate) hop: SignatureHop,
    /// Whose product it is, as the catalogue spells it.
    pub(crate) vendor: &'a str,
    /// The header that shows it, with its weight: `header cf-ray (strong)`.
    pub(crate) proof: String,
    /// That weight, 0 to 100.
    pub(crate) weight_percent: u8,
}

/// The hops that a response passed, outermost first.
pub(crate) fn passed<'a>(response: &HttpResponse, catalogue: &'a Catalogue) -> Vec<Passed<'a>> {
    let mut hops: Vec<Passed<'a>> = Vec::new();
    for found in catalogue.read_response(response).markers {
        let signature = found.signature;
        let headers: Vec<String> = signature
            .headers
            .keys()
            .map(|name| match response.header(name) {
                Some(value) if value.len() <= 40 => format!("{name}: {value}"),
                _ => name.clone(),
            })
            .collect();
        let what =
            if headers.is_empty() { "body".to_owned() } else { format!("header {}", headers.join(", ")) };
        hops.push(Passed {
            hop: signature.hop,
            vendor: &signature.vendor,
            proof: format!("{what} ({})", strength(found.weight_percent)),
            weight_percent: found.weight_percent,
        });
    }
    hops
}

/// A weight as a word.
pub(crate) fn strength(weight_percent: u8) -> &'static str {
    match weight_percent {
        80.. => "strong",
        60..=79 => "medium",
        _ => "weak",
    }
}

/// A vendor's name as people write it: `aws-cloudfront` becomes `AWS CloudFront`.
pub(crate) fn vendor_name(vendor: &str) -> String {
    let known = match vendor {
        "aws-cloudfront" => "AWS CloudFront",
        "aws-elb" => "AWS ELB",
        "cdn77" => "CDN77",
        "cloudfront" => "CloudFront",
        "gcore" => "Gcore",
        "haproxy" => "HAProxy",
        "keycdn" => "KeyCDN",
        "nginx" => "nginx",
        "gunicorn" => "gunicorn",
        "uvicorn" => "uvicorn",
        "ovh" => "OVH",
        "digitalocean" => "DigitalOcean",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let words: Vec<String> = vendor
        .split('-')
        .map(|word| match word {
            "aws" | "cdn" | "waf" | "gke" | "ibm" => word.to_ascii_uppercase(),
            _ => {
                let mut letters = word.chars();
                letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
            }
        })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_are_written_as_people_write_them() {
        let cases = [
            ("cloudflare", "Cloudflare"),
            ("aws-waf", "AWS WAF"),
            ("google-cloud-run", "Google Cloud Run"),
            ("nginx", "nginx"),
            ("", ""),
        ];
        for (vendor, want) in cases {
            assert_eq!(vendor_name(vendor), want);
        }
    }
}
