//! A project in memory that the program is run in, again and again in one process.

use std::{ffi::OsString, fs, path::Path, process::ExitCode, sync::OnceLock};

use tempfile::TempDir;

/// The providers are named and never asked: nothing listens for them, and no command here reaches them.
const PROVIDERS: &str = "
[systems.gitlab]
kind = \"gitlab\"
url = \"https://git.example.com\"
token = { file = \"token\" }

[systems.mattermost]
kind = \"mattermost\"
url = \"https://chat.example.com\"
token = { file = \"token\" }
";

const SOURCES: &str = "
[systems.hr]
kind = \"csv\"
key = \"id\"

[systems.website]
kind = \"csv\"
key = \"id\"
says = \"changes\"
";

/// The folders of this process: one with providers, for what is only checked, and one without.
pub struct Projects {
    folder: TempDir,
}

impl Projects {
    pub fn get() -> &'static Self {
        static PROJECTS: OnceLock<Projects> = OnceLock::new();
        PROJECTS.get_or_init(|| {
            let memory = Path::new("/dev/shm");
            let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
            let projects = Self { folder };
            projects.write("checked/homeward.toml", format!("{SOURCES}{PROVIDERS}").as_bytes());
            projects.write("checked/token", b"none");
            projects.write("planned/homeward.toml", SOURCES.as_bytes());
            projects
        })
    }

    /// Writes a file of one of the projects.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Runs the program in one of the projects. Whatever it is given, a fault is never ours.
    pub fn run(&self, project: &str, arguments: &[&str]) {
        let folder = self.folder.path().join(project);
        let mut all: Vec<OsString> = vec!["homeward".into(), "-C".into(), folder.into()];
        all.extend(arguments.iter().map(OsString::from));
        let exit = homeward::run(all);
        assert_ne!(format!("{exit:?}"), format!("{:?}", ExitCode::from(1)), "a fault of ours");
    }
}
