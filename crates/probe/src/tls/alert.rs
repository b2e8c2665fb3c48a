//! TLS alerts by their names.

use landfall_evidence::Denial;

/// An alert that the peer sent.
pub(crate) fn denial(code: u8) -> Denial {
    Denial::TlsAlert { code, name: name(code).to_owned() }
}

/// The number of the alert that these words of the TLS library tell of, as an error that was turned into a text has them.
pub(crate) fn told(words: &str) -> Option<u8> {
    // Compared with the library's own words, whatever those are in its next version.
    (0..=u8::MAX).find(|code| {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::from(*code));
        words.ends_with(&alert.to_string())
    })
}

/// The name of an alert as RFC 8446 section 6 and the IANA registry "TLS Alerts" spell it.
pub(super) fn name(code: u8) -> &'static str {
    match code {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed_RESERVED",
        22 => "record_overflow",
        30 => "decompression_failure_RESERVED",
        40 => "handshake_failure",
        41 => "no_certificate_RESERVED",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction_RESERVED",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation_RESERVED",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable_RESERVED",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value_RESERVED",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => "unassigned",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_known_by_the_words_of_the_library() {
        for code in [42, 48, 80, 116, 200] {
            let words = rustls::Error::AlertReceived(rustls::AlertDescription::from(code)).to_string();
            assert_eq!(told(&words), Some(code), "{words}");
        }
        assert_eq!(told("connection reset by peer"), None);
        assert_eq!(told(""), None);
    }
}
