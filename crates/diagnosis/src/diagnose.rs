//! From evidence to diagnosis, whole.

use std::collections::BTreeSet;

use landfall_evidence::{Evidence, Observation, ObservationId};

use crate::actions::{self, Drawn};
use crate::case::Case;
use crate::catalogue::Catalogue;
use crate::causes::{first_broken, rank};
use crate::facts::Facts;
use crate::view::View;
use crate::{
    Diagnosis, components, findings, path, rate_limit, readiness, specifications, story, unexplained,
    verdict, verification,
};

/// Judges evidence. The same evidence and catalogue give the same diagnosis, byte for byte.
///
/// Never fails and never panics on evidence that was read from a file: what cannot be seen in it is unknown in the
/// diagnosis, with the reason.
pub fn diagnose(evidence: &Evidence, catalogue: &Catalogue) -> Diagnosis {
    // An audit writes its observations in the order of asking; a file in another order says the same.
    let key = |o: &Observation| (o.started_us, o.id.clone());
    if !evidence.observations.is_sorted_by_key(key) {
        let mut observations = evidence.observations.clone();
        observations.sort_by_key(key);
        return diagnose(&Evidence { observations, ..evidence.clone() }, catalogue);
    }
    let facts = Facts::derive(evidence, catalogue);
    let ranking = rank(&facts, catalogue);
    let by_engine: BTreeSet<ObservationId> = ranking
        .explained
        .keys()
        .flat_map(|(key, subject)| facts.of(*key).filter(move |fact| fact.subject == *subject))
        .flat_map(|fact| fact.evidence.iter().cloned())
        .collect();

    let case = Case {
        view: View::new(evidence, catalogue),
        causes: &ranking.causes,
        ruled_out: &ranking.ruled_out,
        ties: &ranking.ties,
        of_production: ranking.of_production(),
        of_defects_alone: ranking.of_defects_alone(),
        of_the_build: ranking.of_the_build(),
    };
    let findings = findings::collect(&case);
    let unexplained = unexplained::unexplained(&case, &findings, &by_engine);
    let verdict = verdict::verdict(&case, &findings, &unexplained);
    let summary = verdict::summary(&case, verdict, &findings, &unexplained);
    let components = components::components(&case, &findings, verdict);
    let path = path::path(&case);
    let rate_limit = rate_limit::assess(&case);
    let readiness = readiness::readiness(&case, &findings);
    let verification = verification::verification(&case);
    let specifications = specifications::specifications(&case);
    let actions = actions::actions(
        &case,
        &Drawn {
            verdict,
            findings: &findings,
            readiness: &readiness,
            rate_limit: rate_limit.as_ref(),
            path: &path,
            verification: &verification,
        },
    );
    let mut diagnosis = Diagnosis {
        verdict,
        summary,
        explanation: String::new(),
        components,
        causes: ranking.causes,
        ruled_out: ranking.ruled_out,
        ties: ranking.ties,
        findings,
        path,
        rungs: ranking.rungs.iter().map(|(rung, state)| (rung.name().to_owned(), *state)).collect(),
        // Where only the question is wrong, the rung that gave the answer is in order.
        first_broken: first_broken(&ranking.rungs)
            .filter(|rung| !(ranking.asked_wrongly && rung.on_path()))
            .map(|rung| rung.name().to_owned()),
        rate_limit,
        readiness,
        actions,
        verification,
        specifications,
        unexplained,
        catalogue: catalogue.hash().to_owned(),
    };
    diagnosis.explanation = story::story(&diagnosis, catalogue);
    diagnosis
}
