//! What is configured for a drop folder.
//!
//! These keys stand beside those of the reader in one system. Each of the two reads its own and leaves the other's alone.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use glob::Pattern;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{FileName, Wanted};

/// The keys of a drop folder as they are written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct Written {
    /// The folder that is watched for files, relative to the configuration.
    folder: Option<PathBuf>,
    /// Which names in the folder are read, such as `people-*.csv`. The ending counts in any letter case.
    #[serde(default = "all_csv")]
    pattern: String,
    /// What decides which file is the older. Where it is not given: a date in the name where every waiting file has one,
    /// else the arrival.
    order: Option<Order>,
    /// When a file is taken to be complete: unchanged over so many looks and across so much time.
    #[serde(default)]
    quiet: WrittenQuiet,
    /// The file that says that another one is complete: an ending behind its name, such as ".done", or one fixed name,
    /// { name = "READY" }.
    #[schemars(with = "Option<TriggerSchema>")]
    trigger: Option<serde_json::Value>,
    /// More names of files that are under way, such as `*.upload`.
    #[serde(default)]
    unfinished: Vec<String>,
    /// How often the folder is listed when nothing is heard.
    #[serde(default = "half_a_minute")]
    look_every: String,
    /// After which time a file that does not become complete is reported.
    #[serde(default = "a_quarter_of_an_hour")]
    stuck_after: String,
    /// After which time without a new file a warning is given. Not given: never.
    expect_every: Option<String>,
    /// Where handled files are kept, relative to the configuration. Not given: `archive` in the folder.
    archive: Option<PathBuf>,
    /// Where refused files and lists of rejected rows are kept. Not given: `error` in the folder.
    error: Option<PathBuf>,
    /// Where files are while they are handled, in the file system of the folder. Not given: `.work` in the folder.
    work: Option<PathBuf>,
    /// How long handled and refused files are kept.
    #[serde(default = "ninety_days")]
    keep: String,
    /// Bytes: a smaller file is taken to be incomplete.
    #[serde(default)]
    minimum_size: u64,
    /// Whether the sender adds `NAME.sha256`, which is waited for and compared.
    #[serde(default)]
    checksum: bool,
}

/// How long nothing may happen to a file before it is taken to be complete.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct WrittenQuiet {
    /// Looks at which it was the same.
    #[schemars(range(min = 1))]
    looks: u32,
    /// The time between the first and the last of them.
    time: String,
}

impl Default for WrittenQuiet {
    fn default() -> Self {
        Self { looks: 3, time: "10s".to_owned() }
    }
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum TriggerSchema {
    Suffix(String),
    Fixed { name: String },
}

/// What decides which of two files is the older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// A date in the name, and the digits behind it.
    Date,
    /// The last number in the name.
    Number,
    /// When the file got its name in the folder.
    Arrival,
}

/// When a file is taken to be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quiet {
    pub(crate) looks: u32,
    pub(crate) time: Duration,
}

/// The file that says that another one is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// What stands behind the name of the file.
    Suffix(String),
    /// One name for all files.
    Fixed(String),
}

/// What is configured, checked and ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) folder: PathBuf,
    pub(crate) pattern: String,
    pub(super) wanted: Wanted,
    pub(crate) order: Option<Order>,
    pub(crate) quiet: Quiet,
    pub(crate) trigger: Option<Trigger>,
    pub(super) unfinished: Vec<Pattern>,
    pub(crate) look_every: Duration,
    pub(crate) stuck_after: Duration,
    pub(crate) expect_every: Option<Duration>,
    pub(crate) archive: PathBuf,
    pub(crate) error: PathBuf,
    pub(crate) work: PathBuf,
    pub(crate) keep: Duration,
    pub(crate) minimum_size: u64,
    pub(crate) checksum: bool,
}

/// What is wrong with the settings.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(crate) struct SettingsError {
    /// The key at fault, where it is known: a place to point at.
    pub(crate) key: Option<&'static str>,
    pub(crate) why: String,
    pub(crate) hint: Option<String>,
}

impl Settings {
    /// Checks what was written for one system. `None`: there is no folder. Paths are relative to `root`.
    pub(crate) fn new(root: &Path, options: &serde_json::Value) -> Result<Option<Self>, SettingsError> {
        let written = Written::deserialize(options).map_err(|cause| SettingsError {
            key: None,
            why: cause.to_string(),
            hint: None,
        })?;
        let Some(folder) = written.folder else { return Ok(None) };
        if folder.as_os_str().is_empty() {
            return Err(fault("folder", "`folder` is empty", "name the folder that files are put into"));
        }
        // Joined piece by piece: `.` and doubled slashes would hide that two paths are one.
        let absolute = |path: &Path| root.join(path).components().collect::<PathBuf>();
        let folder = absolute(&folder);
        let place = |given: Option<PathBuf>, name: &str| match given {
            Some(path) => absolute(&path),
            None => folder.join(name),
        };
        let archive = place(written.archive, "archive");
        let error = place(written.error, "error");
        let work = place(written.work, ".work");
        for (key, path) in [("archive", &archive), ("error", &error), ("work", &work)] {
            if folder.starts_with(path) {
                let why = format!("`{key}` is the folder that is watched, or around it");
                return Err(fault(key, why, "name a folder of its own; what lies there must not be read again"));
            }
        }
        if work.starts_with(&archive)
            || work.starts_with(&error)
            || archive.starts_with(&work)
            || error.starts_with(&work)
        {
            return Err(fault("work", "`work` and another folder are one", "name a folder of its own"));
        }
        let wanted = Wanted::new(&written.pattern)
            .ok()
            .filter(|_| !written.pattern.is_empty() && !written.pattern.contains('/'))
            .ok_or_else(|| {
                let why = format!("`{}` is no pattern for names", written.pattern);
                fault("pattern", why, "such as `people-*.csv`; `*` is any text, `?` one letter; no folders")
            })?;
        if written.quiet.looks == 0 {
            return Err(fault("quiet", "`quiet.looks` is 0", "at least 1; 3 is usual"));
        }
        let unfinished = written.unfinished.iter().map(|pattern| {
            Pattern::new(pattern).map_err(|_| {
                fault("unfinished", format!("`{pattern}` is no pattern for names"), "such as `*.upload` or `~*`")
            })
        });
        Ok(Some(Self {
            wanted,
            order: written.order,
            quiet: Quiet { looks: written.quiet.looks, time: duration("quiet", &written.quiet.time)? },
            trigger: written.trigger.as_ref().map(trigger).transpose()?,
            unfinished: unfinished.collect::<Result<_, _>>()?,
            look_every: duration("look_every", &written.look_every)?,
            stuck_after: duration("stuck_after", &written.stuck_after)?,
            expect_every: written.expect_every.as_deref().map(|text| duration("expect_every", text)).transpose()?,
            keep: duration("keep", &written.keep)?,
            minimum_size: written.minimum_size,
            checksum: written.checksum,
            pattern: written.pattern,
            folder,
            archive,
            error,
            work,
        }))
    }

    /// The JSON Schema of these settings.
    pub(crate) fn schema() -> serde_json::Value {
        schemars::schema_for!(Written).to_value()
    }

    /// What a file's trigger is called.
    pub(super) fn trigger_of(&self, name: &FileName) -> Option<FileName> {
        self.trigger.as_ref().map(|trigger| match trigger {
            Trigger::Suffix(suffix) => FileName::new(name.with(suffix)),
            Trigger::Fixed(fixed) => FileName::new(fixed),
        })
    }

    /// True for one of our own folders inside of the watched one.
    pub(super) fn is_own(&self, name: &OsStr) -> bool {
        let path = self.folder.join(name);
        [&self.archive, &self.error, &self.work].into_iter().any(|own| own.starts_with(&path))
    }
}

fn all_csv() -> String {
    "*.csv".to_owned()
}

fn half_a_minute() -> String {
    "30s".to_owned()
}

fn a_quarter_of_an_hour() -> String {
    "15m".to_owned()
}

fn ninety_days() -> String {
    "90d".to_owned()
}

fn fault(key: &'static str, why: impl Into<String>, hint: &str) -> SettingsError {
    SettingsError { key: Some(key), why: why.into(), hint: Some(hint.to_owned()) }
}

fn trigger(written: &serde_json::Value) -> Result<Trigger, SettingsError> {
    let hint = "an ending such as \".done\", or one name for all: { name = \"READY\" }";
    let name = |text: &str| !text.is_empty() && !text.contains(['/', '\0']);
    match written {
        serde_json::Value::String(suffix) if name(suffix) => Ok(Trigger::Suffix(suffix.clone())),
        serde_json::Value::Object(object) => match object.get("name").and_then(serde_json::Value::as_str) {
            Some(fixed) if object.len() == 1 && name(fixed) => Ok(Trigger::Fixed(fixed.to_owned())),
            _ => Err(fault("trigger", "`trigger` has no usable `name`", hint)),
        },
        _ => Err(fault("trigger", "`trigger` is neither an ending nor a name", hint)),
    }
}

fn duration(key: &'static str, text: &str) -> Result<Duration, SettingsError> {
    crate::source::duration(text).ok_or_else(|| {
        let text = text.trim();
        fault(key, format!("`{text}` is no duration"), "a number and a unit: `500ms`, `10s`, `15m`, `12h`, `90d`")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_lie_inside_the_folder_and_other_keys_are_left_alone() {
        let settings =
            Settings::new(Path::new("/srv"), &json!({ "folder": "./drop/hr", "key": "id" })).unwrap().unwrap();
        assert_eq!(settings.folder, Path::new("/srv/drop/hr"));
        assert_eq!(settings.archive, Path::new("/srv/drop/hr/archive"));
        assert_eq!(settings.error, Path::new("/srv/drop/hr/error"));
        assert_eq!(settings.work, Path::new("/srv/drop/hr/.work"));
        assert_eq!(settings.quiet, Quiet { looks: 3, time: Duration::from_secs(10) });
        assert_eq!(settings.keep, Duration::from_hours(90 * 24));
        assert!(settings.is_own(OsStr::new(".work")) && !settings.is_own(OsStr::new("people.csv")));
        assert!(Settings::new(Path::new("/srv"), &json!({ "key": "id" })).unwrap().is_none());
    }

    #[test]
    fn every_fault_names_its_key() {
        for (key, value, why) in [
            ("pattern", json!("a/*.csv"), "`a/*.csv` is no pattern for names"),
            ("pattern", json!("[.csv"), "`[.csv` is no pattern for names"),
            ("trigger", json!(""), "`trigger` is neither an ending nor a name"),
            ("trigger", json!({ "nam": "READY" }), "`trigger` has no usable `name`"),
            ("unfinished", json!(["["]), "`[` is no pattern for names"),
            ("quiet", json!({ "looks": 0 }), "`quiet.looks` is 0"),
            ("quiet", json!({ "time": "soon" }), "`soon` is no duration"),
            ("look_every", json!("0s"), "`0s` is no duration"),
            ("keep", json!("99999999999999999999d"), "`99999999999999999999d` is no duration"),
            ("archive", json!("drop"), "`archive` is the folder that is watched, or around it"),
            ("error", json!("."), "`error` is the folder that is watched, or around it"),
            ("work", json!("drop/archive/w"), "`work` and another folder are one"),
        ] {
            let error = Settings::new(Path::new("/srv"), &json!({ "folder": "drop", key: value })).unwrap_err();
            assert_eq!((error.key, error.why.as_str()), (Some(key), why));
            assert!(error.hint.is_some());
        }
    }

    #[test]
    fn the_schema_says_what_every_key_is_for() {
        let schema = Settings::schema();
        let properties = schema["properties"].as_object().unwrap();
        assert_eq!(properties.len(), 15);
        for (key, property) in properties {
            assert!(property["description"].is_string(), "`{key}`: {property}");
        }
    }
}
