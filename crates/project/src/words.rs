//! Which of the words that the readers look for stand in a text.
//!
//! A large tree has some hundred thousand sources, most of which say nothing of routes, settings or servers. So one
//! automaton goes over each text once, and a pattern is tried only where one of the words stands that every match of it
//! holds. In builds with assertions each pattern that is passed over is tried all the same, and a match would end the
//! test: a word that is missing here cannot stay unnoticed.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::{CaptureMatches, Match, Matches, Regex};

use crate::source::Source;

/// All words, 256 at most. Their case is not looked at.
const WORDS: &[&str] = &[
    ".add_job",
    ".add_periodic_task",
    ".all",
    ".any",
    ".api_route",
    ".db",
    ".delete",
    ".get",
    ".Group",
    ".handle",
    ".head",
    ".listen",
    ".mount",
    ".options",
    ".patch",
    ".PathPrefix",
    ".post",
    ".put",
    ".register",
    ".route",
    ".run",
    ".scheduled_job",
    ".setGlobalPrefix",
    ".start",
    ".static",
    ".task",
    ".toReversed",
    ".toSorted",
    ".toSpliced",
    ".use",
    ".websocket",
    "127.0.0.1",
    "@Controller",
    "add_api_route",
    "add_namespace",
    "add_resource",
    "add_route",
    "add_url_rule",
    "Addr:",
    "allowed_hosts",
    "allowedHosts",
    "Api(",
    "APIRouter",
    "app.Run",
    "asynchat",
    "asyncore",
    "batched",
    "beat_schedule",
    "bind",
    "Blueprint",
    "call_command",
    "CELERYBEAT",
    "chi.",
    "class",
    "collections",
    "config",
    "Connecting-IP",
    "createReadStream",
    "cron",
    "Database",
    "def",
    "deprecated",
    "destination",
    "distutils",
    "echo.",
    "enableVersioning",
    "env",
    "except*",
    "export",
    "express",
    "express-rate-limit",
    "FastAPI",
    "FastAPI(",
    "fastify",
    "feature",
    "fiber.",
    "fileConfig",
    "FileResponse",
    "flag",
    "Flask",
    "Flask(",
    "flask_limiter",
    "flask_sock",
    "Forwarded",
    "forwarded_allow_ips",
    "from",
    "from_file",
    "from_pyfile",
    "GATSBY_",
    "get_asgi_application",
    "get_remote_address",
    "get_template",
    "gin.",
    "groupBy",
    "Hono",
    "http.ServeMux",
    "imp",
    "import",
    "include_router",
    "include_str!",
    "ip:",
    "Koa",
    "limit",
    "ListenAndServe",
    "Litestar",
    "load_model",
    "load_workbook",
    "localhost",
    "match",
    "MEDIA_ROOT",
    "migrate",
    "multer",
    "mux.",
    "node:sqlite",
    "open",
    "origin",
    "override",
    "Path",
    "ProtocolTypeRouter",
    "ProxyFix",
    "ProxyHeadersMiddleware",
    "PUBLIC_",
    "Quart",
    "Quart(",
    "RATELIMIT_STORAGE_UR",
    "REACT_APP_",
    "read_csv",
    "read_json",
    "read_text",
    "readFile",
    "Real-IP",
    "RealIP",
    "register_blueprint",
    "remote_addr",
    "remote_ip",
    "remoteAddr",
    "remoteIp",
    "render",
    "require",
    "ROOT_URLCONF",
    "Router",
    "Sanic",
    "Sanic(",
    "sched",
    "schedule",
    "Scheduler",
    "select_template",
    "Self",
    "send_file",
    "sendFile",
    "serve",
    "settings",
    "smtpd",
    "Sock",
    "Sock(",
    "SocketAddr",
    "SocketIO",
    "sqlite",
    "Starlette",
    "storage_uri",
    "store",
    "StrEnum",
    "structuredClone",
    "TaskGroup",
    "TemplateResponse",
    "throttle",
    "tomllib",
    "too many",
    "trust",
    "trusted_hosts",
    "try",
    "type",
    "upgrade",
    "UPLOAD_DIR",
    "UPLOAD_FOLDER",
    "uploadDir",
    "urlpatterns",
    "Urls.Add",
    "UseUrls",
    "UTC",
    "VITE_",
    "VUE_APP_",
    "withResolvers",
    "X-Forwarded-For",
    "zoneinfo",
];

/// Some of the words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Words([u64; 4]);

impl Words {
    /// These words. Evaluated by the compiler, through `words!`: a word that is not in the table does not compile.
    pub(crate) const fn of(words: &[&str]) -> Self {
        let mut set = [0; 4];
        let mut at = 0;
        while at < words.len() {
            let index = index(words[at]);
            set[index / 64] |= 1 << (index % 64);
            at += 1;
        }
        Self(set)
    }

    /// The words of the table that stand in a text.
    pub(crate) fn of_text(text: &str) -> Self {
        static AUTOMATON: LazyLock<AhoCorasick> = LazyLock::new(|| {
            AhoCorasick::builder()
                .ascii_case_insensitive(true)
                // The automaton is built once and goes over megabytes.
                .kind(Some(AhoCorasickKind::DFA))
                .build(WORDS)
                .expect("the words are constants and covered by tests")
        });
        let mut set = [0; 4];
        // Overlapping, since some words begin or end others.
        for found in AUTOMATON.find_overlapping_iter(text) {
            let index = found.pattern().as_usize();
            set[index / 64] |= 1 << (index % 64);
        }
        Self(set)
    }

    /// Whether any word is in both.
    pub(crate) const fn meets(self, other: Self) -> bool {
        let mut at = 0;
        while at < 4 {
            if self.0[at] & other.0[at] != 0 {
                return true;
            }
            at += 1;
        }
        false
    }
}

/// The place of a word in the table.
const fn index(word: &str) -> usize {
    assert!(WORDS.len() <= 256, "more words than bits");
    let word = word.as_bytes();
    let mut at = 0;
    while at < WORDS.len() {
        let known = WORDS[at].as_bytes();
        let mut same = 0;
        while same < known.len() && same < word.len() && known[same] == word[same] {
            same += 1;
        }
        if same == known.len() && same == word.len() {
            return at;
        }
        at += 1;
    }
    panic!("a word that is not in the table")
}

/// Words of the table, checked by the compiler.
macro_rules! words {
    ($($word:literal),+ $(,)?) => { const { $crate::words::Words::of(&[$($word),+]) } };
}
pub(crate) use words;

/// A pattern with words, one of which stands in each of its matches.
pub(crate) struct Pattern {
    regex: Regex,
    words: Words,
}

impl Pattern {
    pub(crate) fn new(words: Words, pattern: &str) -> Self {
        let regex = Regex::new(pattern).expect("the patterns are constants and covered by tests");
        Self { regex, words }
    }

    /// Whether the pattern is worth trying.
    fn may(&self, source: &Source) -> bool {
        let may = source.says(self.words);
        debug_assert!(
            may || !self.regex.is_match(&source.code),
            "{}: matched without any of its words by {}",
            source.path,
            self.regex
        );
        may
    }

    pub(crate) fn is_match(&self, source: &Source) -> bool {
        self.may(source) && self.regex.is_match(&source.code)
    }

    /// The first match.
    pub(crate) fn find<'s>(&self, source: &'s Source) -> Option<Match<'s>> {
        self.may(source).then(|| self.regex.find(&source.code)).flatten()
    }

    /// All matches.
    pub(crate) fn find_iter<'p, 's>(
        &'p self,
        source: &'s Source,
    ) -> std::iter::Flatten<std::option::IntoIter<Matches<'p, 's>>> {
        self.may(source).then(|| self.regex.find_iter(&source.code)).into_iter().flatten()
    }

    /// The groups of all matches.
    pub(crate) fn captures_iter<'p, 's>(
        &'p self,
        source: &'s Source,
    ) -> std::iter::Flatten<std::option::IntoIter<CaptureMatches<'p, 's>>> {
        self.may(source).then(|| self.regex.captures_iter(&source.code)).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Language;

    #[test]
    fn words_are_seen_in_any_case_and_inside_of_one_another() {
        let said = Words::of_text("x = APIRouter()");
        assert!(said.meets(words!["APIRouter"]) && said.meets(words!["Router"]));
        assert!(!said.meets(words!["Blueprint"]));
        assert!(Words::of_text("BLUEPRINT").meets(words!["Blueprint"]));
        assert_eq!(Words::of_text(""), Words::default());
    }

    #[test]
    fn every_word_is_in_the_table_once_and_long_enough_to_be_rare() {
        let mut seen = std::collections::BTreeSet::new();
        for word in WORDS {
            assert!(word.len() >= 2 && word.is_ascii(), "{word:?}");
            assert!(seen.insert(word.to_ascii_lowercase()), "{word:?} stands twice");
        }
    }

    #[test]
    #[should_panic(expected = "matched without any of its words")]
    fn a_pattern_with_the_wrong_words_is_noticed() {
        let source = Source::new("a.py", Language::Python, "app = Flask()");
        Pattern::new(words!["Blueprint"], r"Flask\(").is_match(&source);
    }
}
