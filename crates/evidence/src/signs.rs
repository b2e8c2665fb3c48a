//! Signs in a project folder: closed words for what the files show that may keep an application from being served.
//!
//! A sign is an observation, not a fault. A loose version, a file that an ignore rule leaves out, a start command in
//! shell form: each is found in projects that serve well. What they mean is decided beside what is seen outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One sign, with the place that shows it. Values of settings never enter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectSign {
    /// Which.
    pub sign: SignWord,
    /// `file:line`, or the file alone where no line shows it.
    pub place: String,
    /// What exactly: the file, the name, the two versions that differ.
    pub detail: String,
    /// The file of the project that it is about, where the detail is a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The path that the file should have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
}

impl ProjectSign {
    /// A sign whose detail says all.
    pub fn new(sign: SignWord, place: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { sign, place: place.into(), detail: detail.into(), file: None, wanted: None }
    }
}

macro_rules! words {
    ($($variant:ident $name:literal $meaning:literal,)*) => {
        /// The closed vocabulary of project signs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum SignWord {
            $(#[doc = $meaning] #[serde(rename = $name)] $variant,)*
        }

        impl SignWord {
            /// All words, in the order of their names.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word as files and rules write it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it says, for people.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// The word of a name.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words! {
    AllowedHost "allowed-host" "A host that the code's allow-list accepts; the detail is the host, `*` for any.",
    ApiRemoved "api-removed" "The code uses what the version of a package that it declares no longer has, so that it fails; the detail is what, and since when.",
    AppWithoutShell "app-without-shell" "The start command holds a variable and no shell expands it.",
    AutodeployOff "autodeploy-off" "The deploy configuration turns automatic deploys off.",
    BodyLimitDiffers "body-limit-differs" "A proxy refuses bodies of a size that the application takes; the detail is the two sizes.",
    BuildEnvDeclared "build-env-declared" "A build-time variable that the deploy configuration or a committed file gives to the build; the detail is its name.",
    BuildEnvUnset "build-env-unset" "Client code reads a build-time variable that nothing in the project gives to the build; the detail is its name.",
    BuildOutputAbsent "build-output-absent" "What is started or served lies in a build output that is not in the repository, and no build step makes it.",
    BuildOutputDiffers "build-output-differs" "The output folder of the deploy configuration is not the one that the build tool writes.",
    CasePath "case-path" "An import or asset path differs from the file's name in letter case only.",
    ClientLocalUrl "client-local-url" "Client code carries an address of this machine as a literal.",
    CodeBindsLoopback "code-binds-loopback" "The code itself listens on this machine's own address only, and no server program with another address is started; the detail is the address.",
    CodePortFixed "code-port-fixed" "The code listens on one port, and its platform chooses the port; the detail is the port and the file.",
    ConditionalRoute "conditional-route" "Routes are registered only where a setting of the environment says so, or quietly not at all; the detail says which.",
    CookieUntrusted "cookie-untrusted" "A session's cookie is sent over TLS alone, and the framework does not trust the proxy that says so; the detail says which.",
    CorsOrigin "cors-origin" "An origin that the code's CORS list allows; the detail is the origin, `*` for any.",
    DataFileInvalid "data-file-invalid" "A data file that the code reads does not parse; the detail is the file and where.",
    DataInFolder "data-in-folder" "The code writes a database or uploads into the application's own folder.",
    DatabaseLoginDiffers "database-login-differs" "A service asks its database for another name, user or password than the database service is made with; the detail says which.",
    DatabaseTlsDiffers "database-tls-differs" "The code connects to its database without TLS, and the database is configured to ask for it; the detail says where.",
    DatabaseUrlLocal "database-url-local" "The deploy configuration, or a default in the code, points the database at this machine; the detail is the variable's name.",
    DependencyUndeclared "dependency-undeclared" "Code imports a package that the manifest does not name; the detail is the package.",
    DependencyUnpinned "dependency-unpinned" "Dependencies without an exact version and without a lock file.",
    DeployBranch "deploy-branch" "A branch that the deploy configuration or a workflow deploys; the detail is the branch.",
    DeployConfigInvalid "deploy-config-invalid" "A deploy configuration that does not parse, or holds a key or type that its platform refuses.",
    DeployConfigMisplaced "deploy-config-misplaced" "A deploy configuration under a name or in a folder where its platform does not look.",
    DeployHealthDisagree "deploy-health-disagree" "Deploy configurations name different health paths.",
    DeployPathFilter "deploy-path-filter" "Path filters of the deploy configuration or workflow leave out files that the application is built from.",
    DeployPathFilterStale "deploy-path-filter-stale" "The path filter of a workflow that deploys takes no path that exists; the detail is the filter.",
    DeployPortsDisagree "deploy-ports-disagree" "Deploy configurations name different ports.",
    DeployStartsDisagree "deploy-starts-disagree" "Deploy configurations start different things.",
    DevDependencyAtRuntime "dev-dependency-at-runtime" "Code that runs in production imports a package listed for development only; the detail is the package.",
    DevServer "dev-server" "The production start command runs a development server.",
    EdgeRewrite "edge-rewrite" "A rewrite or redirect rule of an edge or static host; the detail is the rule.",
    EdgeWorkerRoute "edge-worker-route" "A route on which a worker at the edge runs; the detail is its pattern.",
    EgressClosed "egress-closed" "A network policy lets the pods reach nothing outside of the cluster; the detail is what it lets through.",
    EntryCrlf "entry-crlf" "A script that the start runs has Windows line ends.",
    EntryNotExecutable "entry-not-executable" "A script that the start runs as a program lacks the executable bit.",
    EnvNotDeclared "env-not-declared" "The code reads a variable that the example file does not name; the detail is its name.",
    EnvNotRead "env-not-read" "The example file names a variable that no code reads; the detail is its name.",
    EnvironmentStaging "environment-staging" "The deploy configuration sets an environment name that is not production; the detail is the name's variable.",
    ExcludedFile "excluded-file" "An ignore rule of the image or upload leaves out a file that code or the build uses; the detail is the file.",
    ExitsInHandler "exits-in-handler" "A handler of requests ends the whole process; the detail says how.",
    ExitsOnSignal "exits-on-signal" "The program ends at once when it is asked to stop, with requests still open; the detail says how.",
    FunctionLimit "function-limit" "The deploy configuration limits functions in time or memory.",
    FunctionsDeployed "functions-deployed" "The project is deployed as functions.",
    HealthHost "health-host" "The host allow-list has no entry for what a platform's own health check sends.",
    HealthNotRouted "health-not-routed" "The platform's health path is no route of the code.",
    HealthRedirects "health-redirects" "The code redirects plain HTTP to HTTPS, and the platform's health check asks plain HTTP.",
    HealthTouchesDatabase "health-touches-database" "The health route's handler asks the database.",
    HeapExceedsLimit "heap-exceeds-limit" "A runtime is told to take more memory than its container may have; the detail is the two sizes.",
    ImagePlatform "image-platform" "The image's architecture is fixed in the Dockerfile or compose file.",
    ImagePullSecretAbsent "image-pull-secret-absent" "A manifest takes an image from a private registry and names no pull secret.",
    ImageTagDiffers "image-tag-differs" "The image tag that is deployed is not the one that the project builds.",
    ImageTagFloating "image-tag-floating" "A deployed or base image has no tag, or `latest`.",
    IngressHost "ingress-host" "A host that an ingress rule names; the detail is the host.",
    IngressPathUncovered "ingress-path-uncovered" "The paths of an ingress leave out routes of the code; the detail is the paths and a route.",
    InstancesNone "instances-none" "A deploy configuration wants no instance, or lets the last one stop and starts none; the detail says which.",
    LfsAttributes "lfs-attributes" "Git LFS is in use.",
    LfsPointer "lfs-pointer" "A file is a Git LFS pointer, not its content.",
    LimiterInMemory "limiter-in-memory" "A limiter keeps its counters in the memory of its process; the detail is the limiter.",
    LimiterWithoutTrust "limiter-without-trust" "A limiter counts by the address of the connection, and no proxy is trusted.",
    LockMissing "lock-missing" "A manifest without a lock file.",
    LockOutOfStep "lock-out-of-step" "Manifest and lock file disagree; the detail is the package.",
    LockSeveral "lock-several" "Two lock files of different tools.",
    MigrationsNotRun "migrations-not-run" "There are migrations, and no deploy step runs them.",
    MigrationsRun "migrations-run" "A deploy step runs the migrations.",
    MinInstancesZero "min-instances-zero" "The deploy configuration lets the last instance stop.",
    NativeLibraryAbsent "native-library-absent" "An image runs what needs a shared library that its last stage does not install; the detail is the package and the library.",
    PoolExceedsDatabase "pool-exceeds-database" "The processes may open more connections together than their database gives; the detail is the two numbers.",
    PortEnvDiffers "port-env-differs" "A deploy configuration gives the process another port than the one that it leads to; the detail is the two.",
    PortPrivileged "port-privileged" "A process that does not run as root is to listen on a port below 1024 without the right to; the detail is the port and the user.",
    PortServiceDiffers "port-service-differs" "A service's target port is none of its container's ports.",
    PortTakenTwice "port-taken-twice" "Two processes that share one network are given the same port; the detail is the port and the two.",
    ProbePortDiffers "probe-port-differs" "A probe asks a port on which what it asks for is not served; the detail says which.",
    ProxyBlocks "proxy-blocks" "A proxy configuration refuses by address or by User-Agent; the detail is the rule.",
    ProxyCachesErrors "proxy-caches-errors" "A proxy configuration keeps errors in its cache.",
    ProxyHostNotForwarded "proxy-host-not-forwarded" "A proxy configuration does not pass the public host on.",
    ProxyLimit503 "proxy-limit-503" "A proxy configuration limits requests and leaves the refusal at 503.",
    ProxyNoUpgrade "proxy-no-upgrade" "A proxy configuration does not pass the WebSocket upgrade on.",
    ProxyPathDiffers "proxy-path-differs" "A proxy takes a path prefix off, or leaves it on, against what the routes of the code begin with; the detail says which.",
    ProxyPortDiffers "proxy-port-differs" "A proxy configuration leads to a port of this machine that nothing in the project binds.",
    ProxyTlsOrigin "proxy-tls-origin" "A proxy configuration speaks TLS to the server behind it.",
    ProxyToItself "proxy-to-itself" "A proxy configuration leads to the name that it serves itself.",
    ProxyVerifiesOrigin "proxy-verifies-origin" "A proxy configuration verifies the certificate of the server behind it.",
    PullSecretPresent "pull-secret-present" "A manifest names a pull secret.",
    RootDirectoryAbsent "root-directory-absent" "A root directory or Dockerfile path that the deploy configuration names does not exist.",
    RootDirectoryEmpty "root-directory-empty" "The root directory of the deploy configuration holds no manifest of an application.",
    RouteUnspecified "route-unspecified" "The code serves a route that its OpenAPI document does not name; the detail is the route.",
    RuntimeTooNew "runtime-too-new" "The code uses what the runtime asked for no longer has.",
    RuntimeTooOld "runtime-too-old" "The runtime asked for is older than the code or a dependency needs.",
    RuntimeUnpinned "runtime-unpinned" "Nothing says which runtime version to use.",
    RuntimesDisagree "runtimes-disagree" "Files ask for different versions of the runtime.",
    SecretDefault "secret-default" "The code carries a default for a secret, so that a missing one goes unnoticed; the detail is the variable.",
    SecretTracked "secret-tracked" "A file under version control carries the value of a secret; the detail is its name.",
    SelectorDiffers "selector-differs" "A service selects labels that no workload of the project carries.",
    SettingNearMiss "setting-near-miss" "The code reads a variable that is not there, and one of almost the same name is; the detail is the two names.",
    SettingShapeWrong "setting-shape-wrong" "A variable holds something of another kind than its name or its reader asks for; the detail is the name and the two kinds.",
    SeveralManifests "several-manifests" "Several folders hold an application's manifest.",
    ShellFormStart "shell-form-start" "The image's command is in shell form, so that the shell and not the server gets the signal to stop.",
    SpecRouteMissing "spec-route-missing" "The OpenAPI document names a route that the code does not serve; the detail is the route.",
    StartCommandMissing "start-command-missing" "A deploy configuration without anything to start.",
    StartGraceShort "start-grace-short" "A health check gives up sooner than the start, which waits for something slow, can be done; the detail says when and for what.",
    StartTargetMissing "start-target-missing" "The start command names a file, module or script that is not there.",
    StaticTarget "static-target" "The deploy target serves files only, and the project has a server.",
    SubmoduleEmpty "submodule-empty" "A submodule's folder is empty.",
    SubmodulePresent "submodule-present" "The project has submodules.",
    SyncWorkerForAsync "sync-worker-for-async" "A server of synchronous workers runs an asynchronous application or websockets.",
    TestsAssertNothing "tests-assert-nothing" "A test file whose tests assert nothing, or assert a constant; the detail is how many.",
    TestsNeedService "tests-need-service" "Tests connect to a database, queue or other service; the detail is which.",
    TestsNotImportable "tests-not-importable" "A workflow runs tests that import the project, and neither installs it nor puts it on the import path; the detail is the module.",
    TestsNotMatched "tests-not-matched" "No test file has a name that the test runner looks for; the detail is the names and what is looked for.",
    TestsServiceAbsent "tests-service-absent" "A workflow runs tests that need a service, and starts none; the detail is the service.",
    TunnelConfig "tunnel-config" "The configuration of a tunnel's connector; the detail is what lies behind it.",
    UpgradeNotPassed "upgrade-not-passed" "The code serves WebSockets, and a proxy before it does not pass their upgrade on.",
    WebServicesSeveral "web-services-several" "The deploy configuration has several services that take web traffic.",
    WorkerNotDeployed "worker-not-deployed" "The code hands work to a queue, and nothing that is deployed takes it from there; the detail is the queue.",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_ordered_unique_and_lead_back() {
        let names: Vec<&str> = SignWord::ALL.iter().map(|word| word.name()).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
        for word in SignWord::ALL {
            assert_eq!(SignWord::parse(word.name()), Some(*word));
            assert_eq!(serde_json::to_string(word).unwrap(), format!("{:?}", word.name()));
            assert!(word.meaning().ends_with('.'));
        }
        assert_eq!(SignWord::parse("no-such"), None);
    }
}
