//! The terminal: reads arguments, prints, and gives exit codes. Nobody else does either.

use std::{
    borrow::Cow,
    ffi::OsString,
    io::{IsTerminal, Write},
    os::fd::AsFd,
    path::PathBuf,
    process::ExitCode,
    sync::OnceLock,
};

use crate::{
    config::{self, Config},
    connector::Kind,
    lab::Simulation,
    run::{kinds, project::OpenError},
};
use clap::{CommandFactory, Parser};

mod annotation;
mod apply;
mod arguments;
mod check;
mod compare;
mod diagnostic;
mod docs;
mod drawing;
mod duration;
mod examine;
mod explain;
mod init;
mod lab;
mod link;
mod outlook;
mod owners;
mod plan;
mod progress;
mod render;
mod resume;
mod runs;
mod sarif;
mod settle;
mod sign_in;
mod test;
mod token;
mod undo;
mod watch;

use arguments::{Arguments, Color, Command, Format, Global};
use diagnostic::Trouble;

/// The program's exit codes. They are part of its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// A fault of ours.
    Fault = 1,
    /// Wrong usage, configuration or rules.
    Usage = 2,
    /// Changes are pending, where that was asked for.
    Pending = 3,
    /// An input was refused or held.
    Refused = 4,
    /// A system could not be read.
    Unread = 5,
    /// A limit or guard stopped the plan.
    Limit = 6,
    /// Some calls were refused or failed.
    Failed = 7,
    /// Some calls are in doubt and need a person.
    Doubt = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<OpenError> for Trouble {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Config(errors) => errors.into(),
            OpenError::Rules(errors) => errors.into(),
            OpenError::Run(error) => error.into(),
        }
    }
}

/// What every command is given.
struct Invocation<'a> {
    global: &'a Global,
    /// Shipped kinds and those of one's own.
    kinds: Vec<Kind>,
    /// The simulators of one's own kinds.
    simulations: &'a [Simulation],
    /// The folder to work in.
    root: PathBuf,
}

impl Invocation<'_> {
    fn config(&self) -> PathBuf {
        self.root.join(&self.global.config)
    }

    /// What the configuration says. No rule is read, and no secret.
    fn settings(&self) -> Result<Config, Trouble> {
        Ok(config::load(&self.config(), &kinds::for_config(&self.kinds))?)
    }

    fn json(&self) -> bool {
        self.global.format == Format::Json
    }

    fn today(&self) -> jiff::civil::Date {
        self.global.today.unwrap_or_else(|| jiff::Zoned::now().date())
    }

    /// How to call the program again for the same store.
    fn again(&self) -> &'static str {
        if self.global.lab { "homeward --lab" } else { "homeward" }
    }

    /// A text whose commands reach the same store: what is planned in the lab is settled in the lab.
    fn reaching<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.global.lab { text.replace("`homeward", &format!("`{}", self.again())).into() } else { text.into() }
    }

    /// Whether to tell what is neither result nor error.
    fn talks(&self) -> bool {
        !self.global.quiet && !self.json()
    }

    fn open(&self) -> Result<crate::run::project::Project, Trouble> {
        Ok(crate::run::project::open(&self.config(), &self.kinds, self.today())?)
    }
}

/// The whole program in order.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>, own: &[Kind], simulations: &[Simulation]) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let is_for_machines = arguments.windows(2).any(|two| two == ["--format", "json"])
        || arguments.iter().any(|one| one == "--format=json");
    let arguments = match Arguments::try_parse_from(arguments).and_then(Arguments::fitting) {
        Ok(arguments) => arguments,
        Err(error) => {
            let error = Arguments::belonging(error);
            if is_for_machines && error.use_stderr() {
                let told = error.render().to_string();
                let (message, more) = told.trim_start_matches("error: ").split_once('\n').unwrap_or((&told, ""));
                let hint = more.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
                let hint = Some(hint).filter(|hint| !hint.is_empty());
                print_document(&Trouble::new(Exit::Usage, message.to_owned(), hint).as_json());
            }
            // Help and version are answers, not faults; clap knows which stream each belongs to.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    leave_no_core();
    listen(&arguments.global, matches!(arguments.command, Command::Watch(_)));
    match arguments.global.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let given = Invocation {
        global: &arguments.global,
        kinds: kinds::PROVIDERS.iter().chain(own).copied().collect(),
        simulations,
        root: arguments.global.directory.clone().unwrap_or_default(),
    };
    let exit = match here(&given).and_then(|()| dispatch(&arguments.command, &given)) {
        Ok(exit) => exit,
        Err(trouble) => {
            if given.json() {
                print_document(&trouble.as_json());
            }
            trouble.tell();
            trouble.exit
        }
    };
    let Some(error) = UNWRITTEN.get() else { return exit.into() };
    let hint =
        format!("write it elsewhere; what a run has done is done all the same, and `{} runs` shows it", given.again());
    let trouble = Trouble::new(Exit::Fault, format!("the result could not be written: {error}"), Some(hint));
    trouble.tell();
    // Whoever goes by these reads the result.
    if matches!(exit, Exit::Done | Exit::Pending) { trouble.exit.into() } else { exit.into() }
}

/// Why a result that somebody waits for could not be written.
static UNWRITTEN: OnceLock<std::io::Error> = OnceLock::new();

/// What the program knew must not lie about after it fell: no core is written of it. One byte is too little for a core,
/// and tells a handler of cores to do nothing; a limit of none is one that handlers need not keep.
fn leave_no_core() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(1), maximum: Some(1) });
}

/// The folder that -C names has to be there.
fn here(given: &Invocation<'_>) -> Result<(), Trouble> {
    match &given.global.directory {
        Some(folder) if !folder.is_dir() => {
            let hint = "-C DIR works in a folder that is there; `homeward init DIR` makes one".to_owned();
            Err(Trouble::new(Exit::Usage, format!("there is no folder {}", folder.display()), Some(hint)))
        }
        _ => Ok(()),
    }
}

fn dispatch(command: &Command, given: &Invocation<'_>) -> Result<Exit, Trouble> {
    match command {
        Command::Init { folder } => init::init(given, folder.as_deref()),
        Command::Check(wanted) if !wanted.inputs.is_empty() => examine::files_of(given, &wanted.inputs),
        Command::Check(wanted) if wanted.connect => waiting()?.block_on(check::connect(given)),
        Command::Check(wanted) => check::check(given, wanted),
        Command::Plan(wanted) => waiting()?.block_on(plan::plan(given, wanted)),
        Command::Apply(wanted) => waiting()?.block_on(apply::apply(given, wanted)),
        Command::Watch(wanted) => waiting()?.block_on(watch::watch(given, wanted)),
        Command::Status => watch::status(given),
        Command::Approve(wanted) => waiting()?.block_on(settle::approve(given, wanted)),
        Command::Reject(wanted) => settle::reject(given, wanted),
        Command::Resume(wanted) => waiting()?.block_on(resume::resume(given, wanted)),
        Command::Undo(wanted) => waiting()?.block_on(undo::undo(given, wanted)),
        Command::Explain(wanted) => waiting()?.block_on(explain::explain(given, wanted)),
        Command::Compare(wanted) => waiting()?.block_on(compare::compare(given, wanted)),
        Command::Runs(wanted) => runs::runs(given, wanted),
        Command::Test(wanted) => test::test(given, wanted),
        Command::Link(wanted) => waiting()?.block_on(link::link(given, wanted)),
        Command::Unlink(wanted) => waiting()?.block_on(link::unlink(given, wanted)),
        Command::Token { act } => token::token(given, act),
        Command::Owners { mermaid, svg } => owners::owners(given, *mermaid, *svg),
        Command::Lab(wanted) => waiting()?.block_on(lab::serve(given, wanted)),
        Command::Docs { definitions } => Ok(docs::docs(given, *definitions)),
        Command::Schema => {
            let schema = crate::config::schema::schema(&kinds::for_config(&given.kinds));
            print(&serde_json::to_string_pretty(&schema).unwrap_or_default());
            Ok(Exit::Done)
        }
        Command::Completions { shell } => {
            // Into memory first: the generator panics where its reader goes away.
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "homeward", &mut script);
            print(String::from_utf8_lossy(&script).trim_end());
            Ok(Exit::Done)
        }
    }
}

/// What waits for many answers at once.
fn waiting() -> Result<tokio::runtime::Runtime, Trouble> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Trouble::new(Exit::Fault, format!("no runtime: {error}"), None))
}

/// Prints a result. A reader that has gone away (`| head`) is no fault of ours.
fn print(text: &str) {
    let text = if std::io::stdout().is_terminal() { render::at_rest(text) } else { text.into() };
    let written = writeln!(anstream::stdout(), "{text}");
    if let Err(error) = written.and_then(|()| anstream::stdout().flush())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        let _ = UNWRITTEN.set(error);
    }
}

/// A result for machines: an object whose first key says which kind of result it is, and which version of that.
fn document(name: &str, fields: serde_json::Value) -> serde_json::Value {
    let mut document = serde_json::Map::new();
    document.insert("format".to_owned(), format!("homeward.{name}/1").into());
    if let serde_json::Value::Object(fields) = fields {
        document.extend(fields);
    }
    serde_json::Value::Object(document)
}

fn print_document(document: &serde_json::Value) {
    print(&format!("{document:#}"));
}

/// The columns of the terminal that a stream goes to, where there is one; $COLUMNS where that is set.
fn width(stream: &(impl IsTerminal + AsFd)) -> Option<usize> {
    let shown = || {
        let (terminal_size::Width(columns), _) =
            stream.is_terminal().then(|| terminal_size::terminal_size_of(stream.as_fd()))??;
        Some(usize::from(columns))
    };
    crate::config::late::columns().or_else(shown).filter(|columns| *columns > 0)
}

/// Tells something on the side.
fn tell(text: &str) {
    let text = if std::io::stderr().is_terminal() { render::at_rest(text) } else { text.into() };
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Standard error, for lines of the log: what a provider or a source brought into one does not act, and begins none.
struct Log(std::io::Stderr);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let kept: Vec<String> = text.trim_end_matches('\n').split('\n').map(render::harmless).collect();
        self.0.write_all(format!("{}\n", kept.join("\n    ")).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// What the program's rooms trace goes to standard error; ours only, so that no library prints a header.
fn listen(global: &Global, serves: bool) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        // A service is read by its log.
        (false, 0) if serves => "info",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, _) => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::new(format!("off,homeward={level}"));
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Log(std::io::stderr())).with_target(false);
    // A second run in one process keeps the first subscriber, which does the same.
    let _ = subscriber.with_ansi(false).without_time().try_init();
}
