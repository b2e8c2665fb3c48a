//! What a start command names and the project does not have, for starts that name no module: an assembly of .NET, a
//! rackup file, a program below a unit's working directory.

use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::{Found, Read, exists, inside, regex, text};
use crate::tree::{Tree, file_name};

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    let tree = read.tree;
    for deploy in read.deploys {
        let Some(start) = &deploy.config.start else { continue };
        let file = deploy.config.file.as_str();
        let missing = assembly(tree, &start.raw)
            .or_else(|| rackup(tree, &start.raw, deploy.config.root.as_deref().unwrap_or_default()))
            .or_else(|| (deploy.config.platform == "systemd").then(|| unit(tree, file, &start.raw))?);
        if let Some(missing) = missing {
            found.add(SignWord::StartTargetMissing, file, missing);
        }
    }
}

/// `dotnet Name.dll`, where every project of the folder builds an assembly of another name. The name is the project file's
/// unless `AssemblyName` gives another (learn.microsoft.com/dotnet/core/project-sdk/msbuild-props).
fn assembly(tree: &Tree, raw: &str) -> Option<String> {
    static DLL: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"\bdotnet["',\s]+(?:[\w./-]*/)?([\w.-]+)\.dll\b"#));
    static NAME: LazyLock<Regex> = LazyLock::new(|| regex(r"<AssemblyName>\s*([^<\s]+)\s*</AssemblyName>"));
    let wanted = DLL.captures(raw)?.get(1)?.as_str().to_owned();
    let mut built = Vec::new();
    for project in tree.files.iter().filter(|f| !f.ignored && f.path.ends_with("proj")).take(40) {
        let name = file_name(&project.path);
        let Some(stem) = name.strip_suffix(".csproj").or_else(|| name.strip_suffix(".fsproj")) else {
            continue;
        };
        let source = text(tree, &project.path)?;
        match NAME.captures(&source) {
            // A name that is put together is not known.
            Some(c) if c[1].contains('$') => return None,
            Some(c) => built.push(c[1].to_owned()),
            None => built.push(stem.to_owned()),
        }
    }
    (!built.is_empty() && !built.contains(&wanted))
        .then(|| format!("{wanted}.dll is started, and the projects build {}", built.join(", ")))
}

/// A rackup file by name, or `config.ru` where rackup is given none.
fn rackup(tree: &Tree, raw: &str, root: &str) -> Option<String> {
    static RACKUP: LazyLock<Regex> = LazyLock::new(|| regex(r"\brackup\b(?:[^\n;&|]*?\s([\w./-]+\.ru)\b)?"));
    let named = RACKUP.captures(raw)?.get(1).map_or("config.ru", |m| m.as_str());
    let path = inside(&format!("{root}/{named}"))?;
    (!tree.has(&path) && !exists(tree, &path)).then(|| format!("{path} is not there"))
}

/// A program of a unit that lies below its working directory, where the project is: `/srv/app/bin/run` in `/srv/app`.
fn unit(tree: &Tree, file: &str, raw: &str) -> Option<String> {
    static FOLDER: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^WorkingDirectory\s*=\s*(/\S+?)/?\s*$"));
    let source = text(tree, file)?;
    let folder = FOLDER.captures(&source)?.get(1)?.as_str().to_owned();
    let program = raw.split_whitespace().next()?.trim_start_matches(['-', '@', '+', '!', ':']);
    let path = inside(program.strip_prefix(&folder)?.strip_prefix('/')?)?;
    // What an installation or a build makes is not in the repository; a script is.
    let script = [".sh", ".py", ".rb", ".js", ".bash", ".pl"].iter().any(|end| path.ends_with(end));
    (script && !tree.has(&path) && !exists(tree, &path)).then(|| format!("{path} is not there"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    #[test]
    fn assemblies_and_rackup_files() {
        let docker = ("Dockerfile", "FROM x\nENTRYPOINT [\"dotnet\", \"Shop.Api.dll\"]\n");
        has(
            &[docker, ("ShopApi.csproj", "<Project/>")],
            "start-target-missing Shop.Api.dll is started, and the projects build ShopApi",
        );
        lacks(&[docker, ("src/Shop.Api.csproj", "<Project/>")], "start-target-missing");
        lacks(
            &[docker, ("a.csproj", "<Project><AssemblyName>Shop.Api</AssemblyName></Project>")],
            "start-target-missing",
        );
        lacks(
            &[docker, ("a.csproj", "<Project><AssemblyName>$(Name)</AssemblyName></Project>")],
            "start-target-missing",
        );
        let rackup = ("Procfile", "web: bundle exec rackup config.ru -p $PORT\n");
        has(&[rackup, ("app.rb", "")], "start-target-missing config.ru is not there");
        lacks(&[rackup, ("config.ru", "")], "start-target-missing");
    }

    #[test]
    fn programs_of_units() {
        let unit = |program: &str| format!("[Service]\nWorkingDirectory=/srv/a\nExecStart={program}\n");
        has(
            &[("a.service", &unit("/srv/a/bin/serve.sh --all"))],
            "start-target-missing bin/serve.sh is not there",
        );
        for fine in ["/srv/a/target/release/a", "/usr/bin/serve.sh", "/srv/a/run.sh"] {
            lacks(&[("a.service", &unit(fine)), ("run.sh", "")], "start-target-missing");
        }
    }
}
