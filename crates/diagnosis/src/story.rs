//! The diagnosis in one paragraph of plain words, from templates. It says nothing that the diagnosis does not say.

use crate::catalogue::{Catalogue, Rung};
use crate::causes::what_told_apart;
use crate::{Cause, Diagnosis, HopState, Label, Severity, Status, Tie, Verdict};

/// Arguments that are told for a cause.
const TOLD: usize = 2;

/// One paragraph for a person: what speaks for the cause, where a request breaks, how sure that is, what it is not, what
/// to do first and how to see that it worked. The summary is not repeated in it.
pub(crate) fn story(diagnosis: &Diagnosis, catalogue: &Catalogue) -> String {
    let mut told: Vec<String> = Vec::new();
    match diagnosis.causes.first() {
        Some(cause) => about(cause, diagnosis, catalogue, &mut told),
        None => without_cause(diagnosis, &mut told),
    }
    if let [odd, rest @ ..] = diagnosis.unexplained.as_slice() {
        let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
        told.push(format!("Nothing accounts yet for this: {}{more}", odd.what));
    }
    told.iter().map(|sentence| finished(sentence)).collect::<Vec<_>>().join(" ")
}

fn about(cause: &Cause, diagnosis: &Diagnosis, catalogue: &Catalogue, told: &mut Vec<String>) {
    let reasons: Vec<&str> = cause.evidence_for.iter().take(TOLD).map(|a| a.say.as_str()).collect();
    if !reasons.is_empty() {
        told.push(upper_first(&reasons.join(", and ")));
    }
    if let Some(title) = diagnosis.first_broken.as_deref().and_then(|rung| title_of(rung, catalogue)) {
        let passes = !diagnosis.path.is_empty() && diagnosis.path.iter().all(|hop| hop.state == HopState::Ok);
        told.push(if passes {
            format!(
                "Requests are answered all the same; what is wrong lies at this part: {}",
                lower_first(title)
            )
        } else {
            format!("On the way of a request the first part that fails is this one: {}", lower_first(title))
        });
    }
    match tie_of(cause, diagnosis) {
        Some(tie) => told.push(open_between(tie, diagnosis)),
        None => told.push(sure(cause)),
    }
    let excluded = diagnosis.ruled_out.iter().find(|c| !c.against.is_empty());
    if let Some(other) = excluded {
        let say = what_told_apart(&other.against[0].say);
        told.push(format!("It is not that {}: {say}", lower_first(&other.title)));
    }
    if let Some(first) = diagnosis.actions.first().and_then(|a| a.steps.first()).or(cause.remedy.first()) {
        told.push(format!("Do this first: {first}"));
    }
    if let Some(sign) = cause.verify.first() {
        told.push(format!("It has worked when {}", lower_first(sign)));
    }
    let beside: Vec<String> = diagnosis
        .causes
        .iter()
        .filter(|other| {
            other.id != cause.id && tie_of(cause, diagnosis).is_none_or(|t| !t.causes.contains(&other.id))
        })
        .map(|other| lower_first(&other.title))
        .collect();
    if !beside.is_empty() {
        told.push(format!("Beside it: {}", beside.join("; ")));
    }
}

fn without_cause(diagnosis: &Diagnosis, told: &mut Vec<String>) {
    let unseen: Vec<&str> = diagnosis
        .readiness
        .checks
        .iter()
        .filter(|c| c.status == Status::Unknown)
        .map(|c| c.title.as_str())
        .collect();
    match diagnosis.verdict {
        Verdict::Live => told.push("Nothing that was asked speaks against it".to_owned()),
        Verdict::Unknown => {
            told.push(
                "Too little was seen for any cause to be named, and what was not seen is not passed"
                    .to_owned(),
            );
        }
        Verdict::Degraded | Verdict::NotLive => told.push(
            "No cause that is known here accounts for it; what is known of the place stands below".to_owned(),
        ),
    }
    if !unseen.is_empty() {
        let (first, rest) = unseen.split_at(unseen.len().min(3));
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        told.push(format!("Not verified: {}{more}", first.join(", ")));
    }
    let worst = diagnosis.findings.iter().find(|f| f.severity >= Severity::Medium);
    told.extend(worst.map(|finding| format!("To mend all the same: {}", lower_first(&finding.title))));
}

fn tie_of<'a>(cause: &Cause, diagnosis: &'a Diagnosis) -> Option<&'a Tie> {
    diagnosis.ties.iter().find(|tie| tie.causes.contains(&cause.id))
}

fn open_between(tie: &Tie, diagnosis: &Diagnosis) -> String {
    let titles: Vec<String> = tie
        .causes
        .iter()
        .filter_map(|id| diagnosis.causes.iter().find(|cause| &cause.id == id))
        .map(|cause| lower_first(&cause.title))
        .collect();
    format!(
        "From what was asked these look alike: {}. What would tell them apart is {} ({})",
        titles.join("; "),
        lower_first(&tie.separate.ask),
        tie.separate.how
    )
}

fn sure(cause: &Cause) -> String {
    let percent = format!("{:.0} %", cause.confidence * 100.0);
    let open = || {
        let ask = cause.next_probe.as_ref().map(|probe| probe.ask.as_str());
        ask.or(cause.not_known.first().map(String::as_str))
            .map(|ask| format!("; what would settle it is {}", lower_first(ask)))
            .unwrap_or_default()
    };
    match cause.label {
        Label::Confirmed => format!(
            "That is confirmed ({percent}): independent observations show it, and the look-alikes were told apart"
        ),
        Label::Likely => format!("That is likely ({percent}) and not proven{}", open()),
        _ => format!("That is possible ({percent}), no more{}", open()),
    }
}

fn title_of<'a>(rung: &str, catalogue: &'a Catalogue) -> Option<&'a str> {
    let rung = Rung::ALL.into_iter().find(|r| r.name() == rung)?;
    Some(catalogue.layers().find(|layer| layer.id == rung)?.title.as_str())
}

/// A sentence with one full stop at its end.
fn finished(sentence: &str) -> String {
    let text = sentence.trim_end();
    if text.ends_with(['.', '!', '?', ':']) { text.to_owned() } else { format!("{text}.") }
}

/// Upper-case at the beginning, unless the first word is the name of a file or a host, which has a spelling of its own.
fn upper_first(text: &str) -> String {
    let first = text.split_whitespace().next().unwrap_or_default();
    if first.trim_end_matches([',', '.', ';', ':']).contains(['/', '.', ':', '_']) {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Lower-case at the beginning, unless the first word is a name or an abbreviation ("GET", "DNS", "A CNAME").
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        (Some('A'), Some(' ')) => format!("a{}", &text[1..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::testkit::{Levqor, levqor};
    use crate::{Catalogue, diagnose};

    fn told(kind: Levqor) -> String {
        diagnose(&levqor(kind), Catalogue::embedded()).explanation
    }

    #[test]
    fn every_world_is_told_in_one_paragraph() {
        for kind in Levqor::ALL {
            let text = told(kind);
            assert!(!text.contains('\n') && text.ends_with(['.', '?', '!', ':']), "{text}");
            assert!((40..2_500).contains(&text.len()), "{} bytes: {text}", text.len());
            assert!(!text.contains("..") && !text.contains("  ") && !text.contains('{'), "{text}");
        }
    }

    #[test]
    fn what_is_proven_what_is_open_and_what_to_do_are_told_apart() {
        let text = told(Levqor::Undeployed);
        for part in [
            "On the way of a request",
            "That is confirmed",
            "It is not that",
            "Do this first: ",
            "It has worked when ",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let open = told(Levqor::OriginUnknown);
        assert!(open.contains("these look alike") && open.contains("origin"), "{open}");
        assert!(!open.contains("confirmed"), "{open}");
        let fine = told(Levqor::Deployed);
        assert!(fine.starts_with("Nothing that was asked speaks against it"), "{fine}");
    }
}
