//! The commands that a README shows, run as a reader would run them.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{Ran, World};

/// A block of commands, and the line of the page it begins in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub line: usize,
    pub text: String,
}

impl Block {
    /// Its commands, without the remarks behind them.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(|line| line.split(" # ").next().unwrap_or(line).trim()).filter(|line| !line.is_empty())
    }
}

/// All blocks of a page that open with ```` ```sh ````.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line.trim_end()) {
            (None, "```sh") => open = Some(Block { line: number + 2, text: String::new() }),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), line) => block.text.extend([line, "\n"]),
            (None, _) => {}
        }
    }
    blocks
}

/// Runs a script in the project's folder, as `bash -e` does, with the program that was built on the path.
pub fn shell(world: &World, script: &str) -> Ran {
    let built = Path::new(env!("CARGO_BIN_EXE_homeward")).parent().unwrap();
    let output = Command::new("bash")
        .args(["-e", "-c", script])
        .current_dir(world.path("."))
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", built.display()))
        .env("NO_COLOR", "1")
        .env("COLUMNS", "120")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A lab that was started in the background and ends with this value, whatever becomes of the test.
pub struct Background<'a>(pub &'a World);

impl Drop for Background<'_> {
    fn drop(&mut self) {
        if self.0.path(".homeward/lab.json").exists() {
            self.0.homeward(&["lab", "stop"]);
        }
    }
}

/// Waits until nothing that was started in the project's folder runs any more. Fails where something stays.
pub fn nothing_is_left_running(world: &World) {
    let folder = fs::canonicalize(world.path(".")).unwrap();
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let left: Vec<String> = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|process| Some(process.ok()?.path()))
            .filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&folder)))
            .map(|process| process.display().to_string())
            .collect();
        if left.is_empty() {
            return;
        }
        // A process that is no child of ours cannot be waited for, only looked at.
        assert!(Instant::now() < patience, "still running: {left:?}");
        thread::sleep(Duration::from_millis(20));
    }
}
