//! The files of `scenarios/`, as they were when the library was built.

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The contents of one file, by its path below `scenarios/`.
pub(crate) fn get(path: &str) -> Option<&'static [u8]> {
    FILES.binary_search_by(|(name, _)| (*name).cmp(path)).ok().map(|i| FILES[i].1)
}

/// The contents of one text file.
pub(crate) fn text(path: &str) -> Option<&'static str> {
    get(path).and_then(|bytes| std::str::from_utf8(bytes).ok())
}

/// Every file below a folder, with its path relative to that folder.
pub(crate) fn below(folder: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    let prefix = format!("{}/", folder.trim_end_matches('/'));
    FILES
        .iter()
        .filter_map(move |(name, bytes)| name.strip_prefix(prefix.as_str()).map(|rest| (rest, *bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_embedded_and_found_by_path_and_by_folder() {
        assert!(text("levqor/project/run.py").is_some_and(|t| t.contains("app = create_app()")));
        assert!(below("levqor/project").any(|(name, _)| name == "tests/test_tenancy_security.py"));
        assert!(below("levqor/project").all(|(name, _)| !name.contains("__pycache__")));
        assert!(get("levqor/project/missing.py").is_none());
    }
}
