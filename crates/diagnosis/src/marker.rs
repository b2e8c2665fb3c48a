//! Which build a vantage serves, held against the project's own: proven the same, proven another, or not to be told.
//!
//! A proof needs a mark on both sides: a commit that the history places, a version or build id that the local backend
//! says in the same field, the bytes or the content-hashed names of scripts, a strong ETag of the same file, or a route
//! that the application itself denies although the local backend serves it. Where a mark is missing on one side, that is
//! what is said. The causes weigh the same signs among others; here they answer one question by themselves.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use landfall_evidence::{GitState, HttpResponse, ObservationId, Purpose, ServedDocument, Vantage};
use regex::Regex;

use crate::case::Case;
use crate::facts::{Placed, Writer, build_marks, placed};
use crate::words::{count, in_words};

/// What is known of the build that a vantage serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is the project's, by this proof.
    Same(String),
    /// It is another, by this proof.
    Other(String),
    /// There is no mark to tell by; says which is missing.
    CannotTell(String),
}

impl Standing {
    /// The standing as one line.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Same(proof) => format!("proven the same: {proof}"),
            Self::Other(proof) => format!("proven another: {proof}"),
            Self::CannotTell(why) => format!("cannot be told: {why}"),
        }
    }
}

type Told = (Standing, Vec<ObservationId>);

/// The standing of one vantage, with the observations that it rests on. `None` when nothing good answered there.
pub(crate) fn standing(case: &Case<'_>, vantage: Vantage) -> Option<Told> {
    let good = answers(case, vantage);
    if good.is_empty() {
        return None;
    }
    let told = by_commit(case, &good)
        .or_else(|| by_field(case, &good))
        .or_else(|| by_scripts(case, vantage))
        .or_else(|| by_document(case, vantage).filter(|(standing, _)| matches!(standing, Standing::Other(_))))
        .or_else(|| by_etag(case, &good))
        .or_else(|| by_route(case, vantage));
    Some(told.unwrap_or_else(|| {
        if let Some(told) = by_document(case, vantage) {
            return told;
        }
        let missing = if marks(&good).is_empty() {
            "its answers name no commit, version or build"
        } else if case.evidence().project().is_none() && answers(case, Vantage::Local).is_empty() {
            "neither a project folder nor a local backend is known to compare with"
        } else {
            "nothing here carries the same mark"
        };
        (Standing::CannotTell(missing.to_owned()), good.iter().map(|a| a.id.clone()).take(1).collect())
    }))
}

struct Answer<'a> {
    id: ObservationId,
    path: &'a str,
    response: &'a HttpResponse,
}

/// Good answers of a vantage, those of the deep look included that ask for what an application says of itself.
fn answers<'a>(case: &Case<'a>, vantage: Vantage) -> Vec<Answer<'a>> {
    let plain = case.view.exchanges.tries.iter().filter(|(_, seen)| {
        matches!(seen.request.purpose, Purpose::Endpoint | Purpose::AddressParity | Purpose::Version)
    });
    let own = case
        .view
        .exchanges
        .trials
        .iter()
        .filter(|x| x.seen.request.trial.as_ref().is_some_and(|trial| trial.name == "self"));
    plain
        .map(|(o, seen)| (*o, *seen))
        .chain(own.map(|x| (x.observation, x.seen)))
        .filter(|(o, _)| o.vantage == vantage && !case.view.is_refusal(&o.id))
        .filter_map(|(o, seen)| {
            let response = seen.answer.present().filter(|r| (200..300).contains(&r.status))?;
            Some(Answer { id: o.id.clone(), path: &seen.request.path, response })
        })
        .collect()
}

/// Marks by path and field, with the answer that carries each.
fn marks<'a>(answers: &[Answer<'a>]) -> Vec<(&'a str, String, String, ObservationId)> {
    answers
        .iter()
        .flat_map(|a| {
            build_marks(a.path, a.response)
                .into_iter()
                .map(|(field, mark)| (a.path, field, mark, a.id.clone()))
        })
        .collect()
}

/// A commit's id, whole or shortened (git shortens to seven letters at least).
fn is_commit(mark: &str) -> bool {
    (7..=40).contains(&mark.len()) && mark.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn by_commit(case: &Case<'_>, good: &[Answer<'_>]) -> Option<Told> {
    let (project, snapshot) = case.evidence().project()?;
    let git = snapshot.git.as_ref().filter(|git| !git.head.is_empty())?;
    marks(good)
        .into_iter()
        .filter(|(.., mark, _)| is_commit(mark))
        .find_map(|(_, field, commit, id)| Some((place(git, &field, &commit)?, vec![id, project.id.clone()])))
}

fn place(git: &GitState, field: &str, commit: &str) -> Option<Standing> {
    let says = format!("{field} says commit {}", &commit[..commit.len().min(12)]);
    let uncommitted = match git.uncommitted.len() {
        0 => String::new(),
        n => format!("; {} not committed cannot be in it", count(n, "changed file")),
    };
    Some(match placed(commit, git)? {
        Placed::Head => Standing::Same(format!("{says}, the one that is checked out{uncommitted}")),
        Placed::Behind { commits, built: 0 } => Standing::Same(format!(
            "{says}; the {} since then change no build{uncommitted}",
            count(commits, "commit")
        )),
        Placed::Behind { commits, .. } => Standing::Other(format!(
            "{says}, {} before the one that is checked out",
            count(commits, "commit")
        )),
        Placed::Branch { name, .. } => Standing::Other(format!("{says}, the head of the branch {name}")),
        Placed::NotInHistory => Standing::Other(format!("{says}, which this history does not have")),
    })
}

/// The same field of the same path, here and there.
fn by_field(case: &Case<'_>, good: &[Answer<'_>]) -> Option<Told> {
    let here = marks(&answers(case, Vantage::Local));
    let mut same: Option<Told> = None;
    for (path, field, mark, id) in marks(good) {
        let Some((.., local, local_id)) = here.iter().find(|(p, f, ..)| *p == path && *f == field) else {
            continue;
        };
        let ids = vec![id, local_id.clone()];
        if *local != mark {
            let proof = format!("{field} on {path} is {mark}, the local backend's {local}");
            return Some((Standing::Other(proof), ids));
        }
        same.get_or_insert_with(|| {
            (Standing::Same(format!("{field} on {path} is {mark} here and there")), ids)
        });
    }
    same
}

/// Names of scripts with a hash of their content in them, as bundlers write them: `index-BxY3k9a1.js`, `main.4f2c81aa.js`.
static HASHED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"[A-Za-z0-9_./~-]*[-.][A-Za-z0-9_-]{8,24}\.(?:m?js|css)\b"#).expect("a constant pattern")
});

fn bundles(response: &HttpResponse) -> BTreeSet<String> {
    let text = response.body.text.as_deref().unwrap_or_default();
    if response.media_type().as_deref() != Some("text/html") {
        return BTreeSet::new();
    }
    let names =
        HASHED.find_iter(text).map(|found| found.as_str().rsplit('/').next().unwrap_or_default().to_owned());
    // A word of eight letters is no hash; a hash has a digit or both cases in it.
    names
        .filter(|name| {
            name.bytes().any(|b| b.is_ascii_digit()) || name.bytes().any(|b| b.is_ascii_uppercase())
        })
        .collect()
}

/// Scripts, by their bytes where both sides gave them, else by their names in the page.
fn by_scripts(case: &Case<'_>, vantage: Vantage) -> Option<Told> {
    let assets = |side: Vantage| {
        case.evidence().http_of(side, Purpose::Asset).filter_map(|(o, seen)| {
            let response = seen.answer.present().filter(|r| r.status == 200 && r.body.complete)?;
            Some((o, seen.request.path.as_str(), response.body.sha256.as_str()))
        })
    };
    let mut same: Option<Told> = None;
    for (o, path, hash) in assets(vantage) {
        let Some((local, _, own)) = assets(Vantage::Local).find(|(_, p, _)| *p == path) else { continue };
        let ids = vec![o.id.clone(), local.id.clone()];
        if hash != own {
            return Some((Standing::Other(format!("{path} has other bytes than the local backend's")), ids));
        }
        same.get_or_insert_with(|| {
            (Standing::Same(format!("{path} has the same bytes here and there")), ids)
        });
    }
    if same.is_some() {
        return same;
    }
    let pages = |side: Vantage| -> Vec<(Answer<'_>, BTreeSet<String>)> {
        let named = answers(case, side).into_iter().map(|a| {
            let names = bundles(a.response);
            (a, names)
        });
        named.filter(|(_, names)| !names.is_empty()).collect()
    };
    let here = pages(Vantage::Local);
    pages(vantage).into_iter().find_map(|(page, names)| {
        let (local, own) = here.iter().find(|(a, _)| a.path == page.path)?;
        let ids = vec![page.id.clone(), local.id.clone()];
        if names == *own {
            return Some((
                Standing::Same(format!(
                    "the page {} loads the same {}",
                    page.path,
                    count(names.len(), "bundle")
                )),
                ids,
            ));
        }
        let only: Vec<&String> = names.symmetric_difference(own).take(3).collect();
        Some((
            Standing::Other(format!("the page {} loads other bundles ({})", page.path, in_words(&only))),
            ids,
        ))
    })
}

/// A strong ETag that is the same names the same bytes (RFC 9110, section 8.8.1). One that differs proves nothing: many
/// servers make it from the machine's own file system.
fn by_etag(case: &Case<'_>, good: &[Answer<'_>]) -> Option<Told> {
    let strong = |response: &HttpResponse| {
        response.header("etag").filter(|tag| tag.starts_with('"') && tag.len() > 2).map(str::to_owned)
    };
    let here = answers(case, Vantage::Local);
    good.iter().find_map(|a| {
        let tag = strong(a.response)?;
        let local = here.iter().find(|l| l.path == a.path && strong(l.response).as_ref() == Some(&tag))?;
        let proof = format!("{} has the ETag {tag} here and there", a.path);
        Some((Standing::Same(proof), vec![a.id.clone(), local.id.clone()]))
    })
}

/// The OpenAPI document that a vantage serves, asked for in an audit or in the deep look.
pub(crate) fn document<'a>(case: &Case<'a>, vantage: Vantage) -> Option<(&'a ServedDocument, ObservationId)> {
    case.evidence().trials().filter(|(o, _)| o.vantage == vantage).find_map(|(o, seen)| {
        let asked = seen.request.trial.as_ref()?;
        let response = seen.answer.present().filter(|r| r.status == 200)?;
        let document = response.body.document.as_deref()?;
        matches!(asked.name.as_str(), "openapi" | "self").then(|| (document, o.id.clone()))
    })
}

/// The OpenAPI document there against the local backend's: operations that one of them has alone, or another version of the
/// API, are another build. The same operations are the same interface, behind which the code may differ: that proves no
/// build, and is said as what cannot be told.
///
/// `None` when either side serves none.
pub(crate) fn by_document(case: &Case<'_>, vantage: Vantage) -> Option<Told> {
    let (there, id) = document(case, vantage)?;
    let (here, local) = document(case, Vantage::Local)?;
    let ids = vec![id, local];
    let of = |document: &ServedDocument| -> BTreeSet<String> {
        let alike = |operation: &String| match operation.split_once(' ') {
            Some((method, path)) => format!("{method} {}", landfall_evidence::path_shape(path)),
            None => operation.clone(),
        };
        document.operations.iter().map(alike).collect()
    };
    let (theirs, ours) = (of(there), of(here));
    let whole = !there.more && !here.more;
    let lacks: Vec<&String> = ours.difference(&theirs).filter(|_| whole).take(3).collect();
    let adds: Vec<&String> = theirs.difference(&ours).filter(|_| whole).take(3).collect();
    let standing = if !lacks.is_empty() {
        Standing::Other(format!(
            "its OpenAPI document lacks {}, which the local backend's has",
            in_words(&lacks)
        ))
    } else if !adds.is_empty() {
        Standing::Other(format!(
            "its OpenAPI document has {}, which the local backend's lacks",
            in_words(&adds)
        ))
    } else if let (Some(theirs), Some(ours)) = (&there.version, &here.version)
        && theirs != ours
    {
        Standing::Other(format!("its OpenAPI document is of version {theirs}, the local backend's of {ours}"))
    } else {
        let operations = count(there.operations.len(), "operation");
        Standing::CannotTell(format!(
            "its OpenAPI document has the same {operations} as the local backend's, as two builds of one interface have"
        ))
    };
    Some((standing, ids))
}

/// A route that the application there denies, and the local backend serves.
fn by_route(case: &Case<'_>, vantage: Vantage) -> Option<Told> {
    let denied = case.view.readings(vantage).into_iter().find_map(|r| {
        let response = r.response().filter(|response| matches!(response.status, 404 | 410))?;
        let local = case.view.reading(Vantage::Local, r.endpoint).filter(|local| local.is_good())?;
        (r.writer == Some(Writer::App)).then_some((r, response.status, local))
    });
    let (there, status, local) = denied?;
    let ids = [there.id(), local.id()].into_iter().flatten().cloned().collect();
    let proof = format!(
        "the application answers {status} on {}, which the local backend serves",
        there.endpoint.path
    );
    Some((Standing::Other(proof), ids))
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{EndpointSource, Evidence};

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::testkit::{World, project, response};
    use crate::view::View;

    fn told(evidence: &Evidence) -> Option<Standing> {
        let view = View::new(evidence, Catalogue::embedded());
        let case = Case::without_causes(view);
        standing(&case, Vantage::Edge).map(|(standing, ids)| {
            assert!(!ids.is_empty(), "{standing:?}");
            standing
        })
    }

    fn world() -> World {
        let mut world = World::new("https://api.example.test");
        world.local("http://127.0.0.1:8000");
        world.endpoint("GET", "/version", EndpointSource::Declared, false, &[]);
        world
    }

    fn with_commit(edge: &str) -> Option<Standing> {
        let mut world = world();
        let mut snapshot = project();
        let git = snapshot.git.as_mut().expect("a repository");
        let commit = |id: &str, changes_build| landfall_evidence::Commit { id: id.repeat(8), changes_build };
        git.head = "abcde".repeat(8);
        git.uncommitted.clear();
        git.commits = vec![commit("abcde", false), commit("bcdef", true), commit("01234", true)];
        let (name, remote) = ("next".to_owned(), Some("origin".to_owned()));
        git.branches = vec![landfall_evidence::BranchHead { name, remote, commit: "98765".repeat(8) }];
        world.project(snapshot);
        let body = format!("{{\"commit\": \"{edge}\"}}");
        world.http(Vantage::Edge, Purpose::Endpoint, "/version", response(200).json(&body).build());
        told(&world.build())
    }

    #[test]
    fn a_commit_is_placed_by_the_history() {
        let same = |standing: Option<Standing>| matches!(standing, Some(Standing::Same(_)));
        assert!(same(with_commit("abcdeabcdeab")), "the head");
        assert!(same(with_commit("bcdefbcdef")), "only a commit without effect on the build lies between");
        let older = with_commit("0123401234");
        assert!(
            matches!(&older, Some(Standing::Other(why)) if why.contains("2 commits before")),
            "{older:?}"
        );
        let branch = with_commit("9876598765");
        assert!(matches!(&branch, Some(Standing::Other(why)) if why.contains("branch next")), "{branch:?}");
        assert!(matches!(with_commit("fffffff0"), Some(Standing::Other(_))), "the whole history is known");
    }

    fn documents(there: &[&str], here: &[&str], versions: [&str; 2]) -> Option<Standing> {
        let mut world = world();
        let plain = || response(200).json("{}").build();
        world.http(Vantage::Edge, Purpose::Endpoint, "/version", plain());
        world.http(Vantage::Local, Purpose::Endpoint, "/version", plain());
        for (vantage, operations, version) in
            [(Vantage::Edge, there, versions[0]), (Vantage::Local, here, versions[1])]
        {
            let mut answer = plain();
            answer.body.document = Some(Box::new(ServedDocument {
                format: "3.1.0".into(),
                version: Some(version.to_owned()),
                operations: operations.iter().map(|text| (*text).to_owned()).collect(),
                ..ServedDocument::default()
            }));
            let trial = landfall_evidence::Trial { name: "openapi".into(), plain: "/version".into() };
            world
                .http(vantage, Purpose::Trial, "/openapi.json", answer)
                .change_last(|seen| seen.request.trial = Some(trial));
        }
        told(&world.build())
    }

    #[test]
    fn served_documents_tell_another_build_and_never_the_same_one() {
        let other = documents(&["GET /a"], &["GET /a", "POST /b"], ["1", "1"]);
        assert!(matches!(&other, Some(Standing::Other(why)) if why.contains("lacks POST /b")), "{other:?}");
        let newer = documents(&["GET /a", "POST /b"], &["GET /a"], ["1", "1"]);
        assert!(matches!(&newer, Some(Standing::Other(why)) if why.contains("has POST /b")), "{newer:?}");
        let version = documents(&["GET /a/{id}"], &["GET /a/{item}"], ["1.0", "1.1"]);
        assert!(matches!(&version, Some(Standing::Other(why)) if why.contains("version 1.0")), "{version:?}");
        let same = documents(&["GET /a/{id}"], &["GET /a/{item}"], ["1", "1"]);
        assert!(
            matches!(&same, Some(Standing::CannotTell(why)) if why.contains("same 1 operation")),
            "{same:?}"
        );
    }

    fn both(there: HttpResponse, here: HttpResponse) -> Option<Standing> {
        at("/version", there, here)
    }

    fn at(path: &str, there: HttpResponse, here: HttpResponse) -> Option<Standing> {
        let mut world = world();
        world.http(Vantage::Edge, Purpose::Endpoint, path, there);
        world.http(Vantage::Local, Purpose::Endpoint, path, here);
        told(&world.build())
    }

    #[test]
    fn the_same_field_is_compared_and_no_mark_is_said_to_be_missing() {
        let json = |text: &str| response(200).json(text).build();
        assert!(matches!(
            both(json(r#"{"version": "1.4.0"}"#), json(r#"{"version": "1.4.0"}"#)),
            Some(Standing::Same(_))
        ));
        assert!(matches!(
            both(json(r#"{"version": "1.3.0"}"#), json(r#"{"version": "1.4.0"}"#)),
            Some(Standing::Other(_))
        ));
        let nothing = both(json(r#"{"ok": true}"#), json(r#"{"version": "1.4.0"}"#));
        assert!(
            matches!(&nothing, Some(Standing::CannotTell(why)) if why.contains("name no commit")),
            "{nothing:?}"
        );
        let one_side = both(json(r#"{"version": "1.4.0"}"#), json(r#"{"ok": true}"#));
        assert!(
            matches!(&one_side, Some(Standing::CannotTell(why)) if why.contains("same mark")),
            "{one_side:?}"
        );
        assert_eq!(both(response(502).build(), json("{}")), None, "nothing good answered");
    }

    #[test]
    fn bundles_are_compared_by_name_and_etags_only_when_equal() {
        let page = |hash: &str| {
            response(200)
                .html(&format!("<script src=/assets/index-{hash}.js></script><link href=/a/site-old.css>"))
                .build()
        };
        assert!(matches!(both(page("BxY3k9a1"), page("BxY3k9a1")), Some(Standing::Same(_))));
        let other = both(page("Cz81kkQa"), page("BxY3k9a1"));
        assert!(matches!(&other, Some(Standing::Other(why)) if why.contains("index-")), "{other:?}");
        let tagged = |tag: &str| {
            response(200).header("etag", tag).header("content-type", "text/plain").body("x").build()
        };
        let etags = |there: &str, here: &str| at("/notes.txt", tagged(there), tagged(here));
        assert!(matches!(etags("\"abc\"", "\"abc\""), Some(Standing::Same(_))));
        assert!(matches!(etags("\"abc\"", "\"abd\""), Some(Standing::CannotTell(_))));
        assert!(matches!(etags("W/\"abc\"", "W/\"abc\""), Some(Standing::CannotTell(_))));
    }
}
