//! Runs a program under the eyes of its tracer, and kills it at one of the places where it leaves a trace outside itself.
//!
//! Such a place is a system call that writes to a file of the state store, makes it durable or cuts it, or that writes to a
//! network socket. The blow is a real `SIGKILL`, and it falls before the system call is done or right after it. Other threads of
//! the program go on until it falls, as they would.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::{
    errno::Errno,
    libc,
    sys::{
        ptrace::{self, Options},
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

/// On which side of a system call the blow falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Before,
    After,
}

/// Where to kill: at the n-th such system call, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    pub(crate) number: usize,
    pub(crate) side: Side,
}

/// What a traced program did.
#[derive(Debug)]
pub(crate) struct Traced {
    /// Every place that was passed, in order: `pwrite64 state.db-wal`.
    pub(crate) passed: Vec<String>,
    /// The exit code; `None` where it was killed.
    pub(crate) status: Option<i32>,
}

/// Runs a program to its end, or to the point where it is killed. It is started by a shell that waits to be let go, so that
/// nothing happens unseen.
#[expect(clippy::zombie_processes, reason = "whoever traces it waits for it")]
pub(crate) fn run(program: &Command, store: &Path, point: Option<Point>) -> Result<Traced, Errno> {
    let mut shell = Command::new("sh");
    shell.args(["-c", "read go; exec \"$0\" \"$@\""]).arg(program.get_program()).args(program.get_args());
    shell.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = program.get_current_dir() {
        shell.current_dir(folder);
    }
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut child = shell.spawn().unwrap();
    let leader = Pid::from_raw(child.id().try_into().unwrap());
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
    if let Err(error) = ptrace::seize(leader, options).and_then(|()| ptrace::interrupt(leader)) {
        let _ = child.kill();
        let _ = child.wait();
        return Err(error);
    }
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let mut watch = Watch { leader, store: store.to_owned(), inside: BTreeMap::new(), sockets: BTreeMap::new() };
    Ok(watch.follow(point))
}

struct Watch {
    leader: Pid,
    store: PathBuf,
    /// Threads that are within a system call; true where it is the one to be killed after.
    inside: BTreeMap<Pid, bool>,
    /// Whether a socket leads to the network, by what the system calls it.
    sockets: BTreeMap<String, bool>,
}

impl Watch {
    fn follow(&mut self, point: Option<Point>) -> Traced {
        let everybody = Pid::from_raw(-self.leader.as_raw());
        let mut passed = Vec::new();
        let mut exited = BTreeSet::new();
        loop {
            let status = match waitpid(everybody, Some(WaitPidFlag::__WALL)) {
                Ok(status) => status,
                Err(Errno::EINTR) => continue,
                Err(error) => unreachable!("the program is gone unseen: {error}"),
            };
            let mut signal = None;
            let thread = match status {
                WaitStatus::Exited(pid, code) if pid == self.leader => return Traced { passed, status: Some(code) },
                WaitStatus::Signaled(pid, ..) if pid == self.leader => return Traced { passed, status: None },
                WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..) => {
                    exited.insert(pid);
                    continue;
                }
                WaitStatus::PtraceSyscall(thread) => {
                    if let Some(is_last) = self.inside.remove(&thread) {
                        if is_last {
                            let _ = kill(self.leader, Signal::SIGKILL);
                        }
                    } else {
                        let mut is_last = false;
                        if let Some(place) = self.place(thread) {
                            passed.push(place);
                            if let Some(point) = point.filter(|point| point.number == passed.len()) {
                                if point.side == Side::Before {
                                    let _ = kill(self.leader, Signal::SIGKILL);
                                }
                                is_last = point.side == Side::After;
                            }
                        }
                        self.inside.insert(thread, is_last);
                    }
                    thread
                }
                WaitStatus::PtraceEvent(thread, ..) => thread,
                WaitStatus::Stopped(thread, with) => {
                    signal = Some(with);
                    thread
                }
                WaitStatus::Continued(_) | WaitStatus::StillAlive => continue,
            };
            // One that was killed meanwhile is gone already.
            let _ = ptrace::syscall(thread, signal);
        }
    }

    /// The place that a thread is about to pass, where its system call is one of those that count.
    fn place(&mut self, thread: Pid) -> Option<String> {
        let (number, first) = entered(thread)?;
        let (name, is_of_files, is_of_sockets) = match number {
            libc::SYS_write => ("write", true, true),
            libc::SYS_writev => ("writev", true, true),
            libc::SYS_pwrite64 => ("pwrite64", true, false),
            libc::SYS_pwritev => ("pwritev", true, false),
            libc::SYS_fsync => ("fsync", true, false),
            libc::SYS_fdatasync => ("fdatasync", true, false),
            libc::SYS_ftruncate => ("ftruncate", true, false),
            libc::SYS_sendto => ("sendto", false, true),
            libc::SYS_sendmsg => ("sendmsg", false, true),
            _ => return None,
        };
        let opened = fs::read_link(format!("/proc/{}/fd/{first}", self.leader)).ok()?;
        if is_of_files && opened.parent() == self.store.parent() {
            let file = opened.file_name()?.to_str()?;
            return file.starts_with(self.store.file_name()?.to_str()?).then(|| format!("{name} {file}"));
        }
        let socket = opened.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        if !is_of_sockets {
            return None;
        }
        let leader = self.leader;
        let is_of_network = *self.sockets.entry(socket.to_owned()).or_insert_with(|| {
            let all = fs::read_to_string(format!("/proc/{leader}/net/tcp")).unwrap_or_default();
            all.lines().any(|line| line.split_whitespace().nth(9) == Some(socket))
        });
        is_of_network.then(|| format!("{name} socket"))
    }
}

/// The number of the system call that a thread is about to make, and its first argument.
#[cfg(target_arch = "x86_64")]
fn entered(thread: Pid) -> Option<(libc::c_long, u64)> {
    let registers = ptrace::getregs(thread).ok()?;
    Some((registers.orig_rax.cast_signed(), registers.rdi))
}

/// The number of the system call that a thread is about to make, and its first argument.
#[cfg(target_arch = "aarch64")]
fn entered(thread: Pid) -> Option<(libc::c_long, u64)> {
    let registers = ptrace::getregs(thread).ok()?;
    Some((registers.regs[8].cast_signed(), registers.regs[0]))
}
