//! Section 4: the chain of each address, with its age.

use jiff::Timestamp;
use landfall_evidence::{Certificate, Evidence, Observed, TlsHandshake};

use super::outcome;
use crate::model::{CertificateReport, TlsReport};

const DAY_S: i64 = 86_400;

pub(super) fn build(evidence: &Evidence) -> Vec<TlsReport> {
    let mut reports: Vec<TlsReport> = Vec::new();
    for (observation, tls) in evidence.tls() {
        let shake = tls.answer.present();
        let mut report = TlsReport {
            evidence: observation.id.clone(),
            vantage: observation.vantage,
            host: tls.question.host.clone(),
            address: tls.question.address,
            connected_to: tls.question.connected_to,
            outcome: outcome(&tls.answer),
            words: match &tls.answer {
                Observed::Present(shake) => format!("{}, {}", shake.version, shake.cipher_suite),
                other => other.describe(),
            },
            version: shake.map(|s| s.version.clone()),
            cipher_suite: shake.map(|s| s.cipher_suite.clone()),
            group: shake.and_then(|s| s.group.clone()),
            alpn: shake.and_then(|s| s.alpn.clone()),
            name_matches: shake.map(|s| s.name_matches),
            chain: shake.map(|s| chain(s, evidence.started_at)).unwrap_or_default(),
            unparsed: shake.map(|s| s.unparsed.clone()).unwrap_or_default(),
            trust: shake.map(|s| s.trust.clone()).unwrap_or_default(),
            same_as: None,
        };
        report.same_as = reports
            .iter()
            .find(|r| {
                !r.chain.is_empty()
                    && r.host == report.host
                    && r.chain == report.chain
                    && r.unparsed == report.unparsed
                    && r.trust == report.trust
            })
            .map(|r| r.evidence.clone());
        reports.push(report);
    }
    reports
}

fn chain(shake: &TlsHandshake, now: Timestamp) -> Vec<CertificateReport> {
    shake.chain.iter().map(|certificate| aged(certificate, now)).collect()
}

fn aged(certificate: &Certificate, now: Timestamp) -> CertificateReport {
    let (from, to, now) =
        (certificate.not_before.as_second(), certificate.not_after.as_second(), now.as_second());
    let lifetime = to - from;
    let left = (to - now).clamp(0, lifetime.max(0));
    CertificateReport {
        certificate: certificate.clone(),
        days_left: (to - now).div_euclid(DAY_S),
        lifetime_days: lifetime.div_euclid(DAY_S),
        left_percent: if lifetime > 0 {
            u8::try_from(left.saturating_mul(100) / lifetime).unwrap_or(100)
        } else {
            0
        },
    }
}

#[cfg(test)]
mod tests {
    use landfall_evidence::PublicKey;

    use super::*;

    fn certificate(from: &str, to: &str) -> Certificate {
        Certificate {
            subject: "CN=api.example.test".into(),
            issuer: "CN=Example CA".into(),
            subject_cn: None,
            issuer_organisation: None,
            serial: "01".into(),
            not_before: from.parse().expect("a timestamp"),
            not_after: to.parse().expect("a timestamp"),
            key: PublicKey { algorithm: "ECDSA".into(), size_bit: Some(256), curve: None },
            signature: "ecdsa-with-SHA256".into(),
            san: Vec::new(),
            is_ca: false,
            self_issued: false,
            aia_issuers: Vec::new(),
            sha256: String::new(),
            more: None,
        }
    }

    #[test]
    fn age_is_counted_from_the_start_of_the_audit() {
        let now: Timestamp = "2025-11-15T15:51:49Z".parse().expect("a timestamp");
        let leaf = aged(&certificate("2025-11-05T15:25:57Z", "2026-02-03T16:24:26Z"), now);
        assert_eq!((leaf.days_left, leaf.lifetime_days, leaf.left_percent), (80, 90, 88));
        let dead = aged(&certificate("2025-01-01T00:00:00Z", "2025-11-15T00:00:00Z"), now);
        assert_eq!((dead.days_left, dead.left_percent), (-1, 0));
        let absurd = aged(&certificate("2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z"), now);
        assert_eq!(absurd.left_percent, 0, "a validity that ends before it begins has no share left");
    }
}
