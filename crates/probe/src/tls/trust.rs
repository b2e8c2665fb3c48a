//! Path building against each root store.
//!
//! Each store is asked alone, because "trusted here and not there" is the very thing that a person needs to know. The
//! host name is no part of it: a right chain for the wrong name is still a right chain.

use jiff::Timestamp;
use landfall_evidence::{TrustPath, TrustRefusal, TrustResult};
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

use super::certificate::{clean, name_line};
use super::roots::{Roots, Store};

/// The verdict of every store on a chain as sent, leaf first, at one moment.
pub(super) fn judge(roots: &Roots, chain: &[CertificateDer<'_>], now: UnixTime) -> Vec<TrustPath> {
    roots
        .stores()
        .map(|store| TrustPath { store: store.name.clone(), result: judge_by(roots, store, chain, now) })
        .collect()
}

fn judge_by(roots: &Roots, store: &Store, chain: &[CertificateDer<'_>], now: UnixTime) -> TrustResult {
    let refused = |reason, detail: String| TrustResult::Refused { reason, detail };
    let Some((leaf_der, rest)) = chain.split_first() else {
        return refused(TrustRefusal::Other, "the server sent no certificate".to_owned());
    };
    let leaf = match EndEntityCert::try_from(leaf_der) {
        Ok(leaf) => leaf,
        Err(error) => {
            let self_issued =
                super::certificate::parse(leaf_der).is_ok_and(|leaf| leaf.certificate.self_issued);
            let reason = if self_issued { TrustRefusal::SelfSigned } else { TrustRefusal::Other };
            return refused(reason, format!("the first certificate cannot be used: {}", in_words(&error)));
        }
    };
    let algorithms = roots.provider().signature_verification_algorithms.all;
    match leaf.verify_for_usage(algorithms, &store.anchors, rest, now, KeyUsage::server_auth(), None, None) {
        Ok(path) => {
            let between = path.intermediate_certificates().map(|cert| name_line(cert.subject()));
            let subjects = std::iter::once(name_line(leaf.subject()))
                .chain(between)
                .chain(std::iter::once(name_line(&path.anchor().subject)));
            TrustResult::Trusted { path: subjects.collect() }
        }
        Err(error) => refused(sort(&error, &leaf, rest, &store.anchors), in_words(&error)),
    }
}

fn sort(
    error: &Error,
    leaf: &EndEntityCert<'_>,
    rest: &[CertificateDer<'_>],
    anchors: &[TrustAnchor<'_>],
) -> TrustRefusal {
    let self_issued = leaf.subject() == leaf.issuer();
    let issuer_sent = || {
        rest.iter().any(|der| EndEntityCert::try_from(der).is_ok_and(|sent| sent.subject() == leaf.issuer()))
    };
    let issuer_is_anchor = || anchors.iter().any(|anchor| anchor.subject.as_ref() == leaf.issuer());
    match error {
        Error::CertExpired { .. } => TrustRefusal::Expired,
        Error::CertNotValidYet { .. } => TrustRefusal::NotYetValid,
        // A self-signed leaf is often marked as an authority, which the verifier refuses before it looks for an issuer.
        Error::UnknownIssuer | Error::CaUsedAsEndEntity if self_issued => TrustRefusal::SelfSigned,
        Error::UnknownIssuer if !issuer_sent() && !issuer_is_anchor() => TrustRefusal::IncompleteChain,
        Error::UnknownIssuer => TrustRefusal::UnknownIssuer,
        _ => TrustRefusal::Other,
    }
}

/// The verifier's finding in words, because its own text is that of a program.
fn in_words(error: &Error) -> String {
    let date = |time: &UnixTime| {
        let second = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(second).map_or_else(|_| format!("second {second}"), |at| at.to_string())
    };
    match error {
        Error::CertExpired { not_after, .. } => {
            format!("a certificate of the path ended on {}", date(not_after))
        }
        Error::CertNotValidYet { not_before, .. } => {
            format!("a certificate of the path begins only on {}", date(not_before))
        }
        Error::UnknownIssuer => "no path from the certificates sent to a root of this store".to_owned(),
        Error::CaUsedAsEndEntity => "the first certificate is an authority's and not a server's".to_owned(),
        Error::EndEntityUsedAsCa => "a server certificate was used to sign another certificate".to_owned(),
        Error::InvalidSignatureForPublicKey => "a signature in the path does not verify".to_owned(),
        Error::SignatureAlgorithmMismatch => {
            "a certificate names two different signature algorithms".to_owned()
        }
        Error::NameConstraintViolation => {
            "a name is outside what an authority of the path may certify".to_owned()
        }
        Error::PathLenConstraintViolated => "the path is longer than an authority of it allows".to_owned(),
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
            "a certificate of the path is not meant for servers (extended key usage)".to_owned()
        }
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "a certificate of the path is signed with an algorithm that current clients refuse".to_owned()
        }
        Error::UnsupportedCriticalExtension => {
            "a certificate has a critical extension that is not known".to_owned()
        }
        Error::UnsupportedCertVersion => "a certificate is not of version 3".to_owned(),
        Error::MaximumPathDepthExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumSignatureChecksExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => {
            "the chain is too intricate to be followed".to_owned()
        }
        other => clean(&format!("path validation failed: {other}")),
    }
}
