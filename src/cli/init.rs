//! `homeward init`: a working project to start from. Nothing that is there is overwritten.

use std::{fs, path::Path};

use serde_json::json;

use super::{Exit, Invocation, diagnostic::Trouble, document, print, print_document};

/// The files of a new project, and what they hold.
const FILES: &[(&str, &str)] = &[
    ("homeward.toml", include_str!("../../examples/start/homeward.toml")),
    ("rules/people.rhai", include_str!("../../rules/people.rhai")),
    ("rules/tests/people.rhai", include_str!("../../rules/tests/people.rhai")),
    ("people.csv", include_str!("../../examples/start/people.csv")),
    ("lab/gitlab.json", include_str!("../../examples/start/lab/gitlab.json")),
    ("lab/mattermost.json", include_str!("../../examples/start/lab/mattermost.json")),
    (".gitignore", "/.homeward/\n"),
];

/// Writes the project and says what to do next.
pub(super) fn init(given: &Invocation<'_>, directory: Option<&Path>) -> Result<Exit, Trouble> {
    let root = directory.map_or_else(|| given.root.clone(), |directory| given.root.join(directory));
    let there: Vec<&str> = FILES.iter().map(|(name, _)| *name).filter(|name| root.join(name).exists()).collect();
    if !there.is_empty() {
        let folder = directory.map_or_else(|| "this folder".to_owned(), |directory| directory.display().to_string());
        let more = if there.len() > 1 { format!(" and {} more", there.len() - 1) } else { String::new() };
        let message = format!("{folder} already holds {}{more}, and nothing is overwritten", there[0]);
        let hint = "choose another folder, such as: homeward init homeward-try".to_owned();
        return Err(Trouble::new(Exit::Usage, message, Some(hint)));
    }
    for (name, text) in FILES {
        let path = root.join(name);
        let write = || -> std::io::Result<()> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&path, text)
        };
        write().map_err(|error| {
            let hint = "choose a folder that you may write to: homeward init DIR".to_owned();
            Trouble::new(Exit::Usage, format!("{} cannot be written: {error}", path.display()), Some(hint))
        })?;
    }
    if given.json() {
        let files: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        print_document(&document("project", json!({ "folder": root, "files": files })));
        return Ok(Exit::Done);
    }
    let enter = directory.map(|directory| format!("  cd {}\n", directory.display())).unwrap_or_default();
    print(&format!(
        "A project to start from: homeward.toml, rules/people.rhai, people.csv and a lab.\n\nTry it, nothing real is touched:\n\
         {enter}  homeward --lab plan hr=people.csv\n  homeward --lab apply --yes hr=people.csv"
    ));
    Ok(Exit::Done)
}
