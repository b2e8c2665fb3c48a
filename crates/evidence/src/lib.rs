//! The vocabulary of Landfall: what was asked, from where, and what came back.
//!
//! Nothing here does I/O and nothing here judges. [`Evidence`] is one serialisable value: probes fill it,
//! [`Evidence::redact`] cleans it, and everything after it (diagnosis, report) is a pure function of it, so a saved
//! file replays to the same report byte for byte.
//!
//! Times are integers in microseconds (`_us`) so that they survive a round trip through JSON unchanged.

mod dns;
mod door;
mod evidence;
mod field_list;
mod http;
mod log;
mod observation;
mod observed;
mod project;
mod rate_limit;
mod rdap;
mod redact;
mod signs;
mod target;
mod tests_run;
mod tls;
mod tls_survey;

pub use dns::{
    DenialProof, DnsAnswer, DnsKey, DnsManner, DnsObservation, DnsQuestion, DnsRecord, DnsServer,
    DnsServerRole, DnsSignature, DnsSigning, DnsTransport, ExtendedError, SignatureCheck,
};
pub use door::{DoorAnswer, DoorAsk, DoorObservation, DoorQuestion, DoorTls};
pub use evidence::{Evidence, LoadError, Requests, SCHEMA, Settings, Tool};
pub use field_list::split_unquoted;
pub use http::{
    Body, Decoded, Header, HttpObservation, HttpRequest, HttpResponse, HttpVersion, Purpose, ReadOnce,
    ServedDocument, Timings, Trial,
};
pub use log::{LogEvent, LogObservation, LogTail, OtherLetters};
pub use observation::{Observation, ObservationId, Seen, Vantage};
pub use observed::{Denial, Observed, Phase, ProbeFault, Silence};
pub use project::{
    BranchHead, Commit, Dependency, DeployConfig, DeployStage, EntryFile, Folder, GitState, HistoricChange,
    HostRole, LeftOut, MonitorCheck, NamedCheck, NamedHost, PlannedRecord, PortMap, PortSetting,
    ProjectObservation, ProjectSnapshot, ProvidedSetting, RegisteredAnswer, RegisteredRoutes, Route,
    RouteWritten, Runtime, Scheduler, ServerSetting, SettingRead, SettingShape, SettingsInventory, Stack,
    StartCommand, StartOutcome, StartRun, ValueShape, path_shape,
};
pub use rate_limit::{
    Alignment, ClassWeight, Estimated, Interval, LimiterClass, RateBudget, RateEstimate, RateFit,
    RateLimitObservation, RateLimitRun, RateSignal, RateStep, RateStop, ScopeAnswer, ScopeChange,
    StatedLimit, Unseparated, UnseparatedWhy,
};
pub use rdap::{RdapAnswer, RdapObservation};
pub use redact::{REDACTED, redact_header, redact_log_line, redact_text, redact_url};
pub use signs::{ProjectSign, SignWord};
pub use target::{Endpoint, EndpointSource, Expectation, Says, Target, UsageProfile};
pub use tests_run::{CollectionError, Exit, ImportGap, TestCounts, TestPurpose, TestRun, TestsObservation};
pub use tls::{
    Certificate, CertificateDetails, PublicKey, TlsHandshake, TlsObservation, TlsQuestion, TrustPath,
    TrustRefusal, TrustResult,
};
pub use tls_survey::{
    GroupStanding, IssuerFetch, IssuerFetched, LargeHello, Resumption, RevocationCheck, RevocationList,
    ServerHelloShown, Standing, SuiteClass, SuiteStanding, TlsSurvey, TlsSurveyObservation, TlsVersion,
    VersionStanding, WithoutName,
};
