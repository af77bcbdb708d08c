//! What can be typed. Parsing validates the text; nothing is opened here.

use std::path::PathBuf;

use clap::{
    Arg, Args, CommandFactory, Parser, Subcommand, ValueEnum,
    error::{ContextKind, ContextValue, ErrorKind},
};

/// Sends every change of a person's data home, to the system that owns it.
///
/// An owner states; everybody else may only ask. Rules say which system owns what; a plan shows what would be done and
/// why; apply does exactly that.
#[derive(Debug, Parser)]
#[command(name = "homeward", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done or nothing to do · 1 a fault of ours · 2 wrong usage, configuration or rules · \
3 changes are pending (--detailed-exitcode) · 4 something was refused or held · 5 a system could not be read · \
6 a limit stopped the plan · 7 some calls were refused or failed · 8 some calls are in doubt"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

impl Arguments {
    /// What fits together. An option that every command has may stand before the command, where `requires` does not see it.
    pub(super) fn fitting(self) -> Result<Self, clap::Error> {
        match &self.command {
            Command::Apply(Apply { chaos: Some(_), .. }) if !self.global.lab => {
                let message = "--chaos needs --lab: only simulators fail on demand";
                Err(Self::command().error(ErrorKind::MissingRequiredArgument, message))
            }
            _ => Ok(self),
        }
    }

    /// An option that another command has is told as that. What clap advises where an input may stand, to give the option
    /// as an input, leads nowhere: inputs are SYSTEM=FILE.
    pub(super) fn belonging(mut error: clap::Error) -> clap::Error {
        let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return error };
        if error.kind() != ErrorKind::UnknownArgument || !typed.starts_with('-') {
            return error;
        }
        let name = typed.trim_start_matches('-').split('=').next().unwrap_or_default();
        let is_it = |option: &Arg| {
            if typed.starts_with("--") {
                option.get_long() == Some(name)
            } else {
                option.get_short().is_some_and(|short| name == short.encode_utf8(&mut [0; 4]))
            }
        };
        let program = Self::command();
        let having = program.get_subcommands().filter(|command| command.get_arguments().any(is_it));
        let having: Vec<String> = having.map(|command| format!("`{}`", command.get_name())).collect();
        let told = match having.as_slice() {
            _ if name == "dry-run" => Some("`homeward plan` is the dry run: it cannot write".to_owned()),
            [] => None,
            [one] => Some(format!("`{typed}` belongs to {one}")),
            [others @ .., last] => Some(format!("`{typed}` belongs to {} and {last}", others.join(", "))),
        };
        error.remove(ContextKind::Suggested);
        if let Some(told) = told {
            error.remove(ContextKind::SuggestedArg);
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![told.into()]));
        }
        error
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Work in this folder.
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub(super) directory: Option<PathBuf>,
    /// Read this configuration.
    #[arg(short = 'c', value_name = "FILE", default_value = "homeward.toml", global = true)]
    pub(super) config: PathBuf,
    /// Use simulators instead of the configured providers.
    #[arg(long, global = true)]
    pub(super) lab: bool,
    /// Print results as text or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Text, global = true)]
    pub(super) format: Format,
    /// Tell more on standard error; twice for every request.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(super) verbose: u8,
    /// Tell nothing but results and errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Colour the output.
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true)]
    pub(super) color: Color,
    /// Let the rules see this date as today.
    #[arg(long, value_name = "DATE", global = true, value_parser = date)]
    pub(super) today: Option<jiff::civil::Date>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a working project: configuration, rules, a sample file, a lab.
    Init {
        /// Where; the current folder if not given.
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Check configuration, rules and ownership without touching the network.
    Check(Check),
    /// Show what would be done and why; read, never write.
    Plan(Plan),
    /// Show the plan, ask, and carry it out.
    Apply(Apply),
    /// Watch drop folders and websites: plan what comes, and with --apply carry it out.
    Watch(Watch),
    /// Show how the watched feeds fare, what waits for somebody, and what is to come by itself.
    Status,
    /// Approve the plan of a run that was held, and have it carried out.
    Approve(Settle),
    /// Reject the plan of a run that was held.
    Reject(Reject),
    /// Finish what was interrupted: what is done is left alone, what is in doubt is looked for first.
    Resume(Resume),
    /// Plan the inverse of a run, and carry it out: what it changed and nobody changed since.
    Undo(Undo),
    /// Show why a person's attributes are at each system as they are, why not, and what would change it.
    Explain(Explain),
    /// Show what two folders of rules would do differently.
    Compare(Compare),
    /// Show what happened in earlier runs.
    Runs(Runs),
    /// Say whose an account or a record is, where it was found wrongly or not at all; without one, show what a person is linked
    /// to.
    Link(Link),
    /// Say that an account or a record is not this person's: she is not found by it again.
    Unlink(Unlink),
    /// Keep people's own tokens in the store: set, list, remove; none is ever shown.
    Token {
        #[command(subcommand)]
        act: TokenAct,
    },
    /// Run the tests of the rules; nothing is sent and no server is asked.
    Test(Test),
    /// Show who owns what.
    Owners {
        /// Print a Mermaid diagram.
        #[arg(long)]
        mermaid: bool,
        /// Print a drawing.
        #[arg(long, conflicts_with = "mermaid")]
        svg: bool,
    },
    /// Serve the simulators until stopped.
    Lab(Lab),
    /// Print the reference as Markdown: the words of the rules, and what each kind of provider can do.
    Docs {
        /// Print definitions for the editor's language server instead (`homeward.d.rhai`).
        #[arg(long)]
        definitions: bool,
    },
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
    /// Print completions for a shell, to be read when it starts: `source <(homeward completions bash)`.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Files to look at, each with the source it is of: how they are written, what of them cannot be used, and what they
    /// would say. No system is asked.
    #[arg(value_name = "SYSTEM=FILE", conflicts_with_all = ["connect", "deny_warnings", "output", "explain"])]
    pub(super) inputs: Vec<String>,
    /// Also ask each system who we are and what we may do.
    #[arg(long, conflicts_with_all = ["deny_warnings", "output", "explain"])]
    pub(super) connect: bool,
    /// Exit with 2 where there are warnings.
    #[arg(long)]
    pub(super) deny_warnings: bool,
    /// Print findings as text, as JSON, as SARIF 2.1.0, or as annotations of a GitHub workflow.
    #[arg(long, value_enum)]
    pub(super) output: Option<Output>,
    /// Explain a code and check nothing; without one, list all of them.
    #[arg(long, value_name = "CODE", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["deny_warnings", "output"])]
    pub(super) explain: Option<String>,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    Text,
    Json,
    Sarif,
    Github,
}

#[derive(Debug, Args)]
pub(super) struct Plan {
    /// Inputs: the name of a source and a file, or of a website alone.
    #[arg(value_name = "SYSTEM=FILE", required = true)]
    pub(super) inputs: Vec<String>,
    /// Save the plan, to read, to hand on, and to apply exactly.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Exit with 3 where changes are pending.
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
    /// Show every change of a long plan.
    #[arg(long)]
    pub(super) all: bool,
    /// Look at everybody's accounts, also at those whom `recheck` lets pass.
    #[arg(long)]
    pub(super) recheck: bool,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(super) struct Test {
    /// Run only tests whose name holds one of these words.
    #[arg(value_name = "FILTER")]
    pub(super) filter: Vec<String>,
    /// Show the tests there are and run none.
    #[arg(long)]
    pub(super) list: bool,
    /// Show which lines, branches and deciding lines of the rules the tests reach.
    #[arg(long)]
    pub(super) coverage: bool,
    /// Write the coverage for other tools.
    #[arg(long, value_name = "FILE")]
    pub(super) lcov: Option<PathBuf>,
    /// Put faults into the rules, one at a time, and show those that no test notices.
    #[arg(long)]
    pub(super) mutate: bool,
    /// Keep the plans as they are now as the golden ones.
    #[arg(long)]
    pub(super) update: bool,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// Who, what of it, and inputs: an id (hr/1001), a key, a username, an address or an account (gitlab:42); an attribute;
    /// the name of a source and a file.
    #[arg(value_name = "PERSON [ATTRIBUTE] [SYSTEM=FILE]…", required_unless_present = "everybody")]
    pub(super) asked: Vec<String>,
    /// Explain what a saved plan holds.
    #[arg(long, value_name = "FILE", conflicts_with = "run")]
    pub(super) plan: Option<PathBuf>,
    /// Explain what was decided in an earlier run.
    #[arg(long, value_name = "N", value_parser = run)]
    pub(super) run: Option<i64>,
    /// Explain everybody, for machines: with --format json.
    #[arg(long = "all", hide = true, conflicts_with_all = ["plan", "run"])]
    pub(super) everybody: bool,
}

#[derive(Debug, Args)]
pub(super) struct Compare {
    /// The folder of the rules as they are.
    #[arg(value_name = "OLD_RULES")]
    pub(super) old: PathBuf,
    /// The folder of the rules as they would be.
    #[arg(value_name = "NEW_RULES")]
    pub(super) new: PathBuf,
    /// Inputs: the name of a source and a file.
    #[arg(value_name = "SYSTEM=FILE", required = true)]
    pub(super) inputs: Vec<String>,
    /// Exit with 3 where something would be different.
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
    /// Show every difference.
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Args)]
pub(super) struct Apply {
    /// A saved plan, or inputs: the name of a source and a file.
    #[arg(value_name = "PLAN | SYSTEM=FILE", required = true)]
    pub(super) inputs: Vec<String>,
    /// Do not ask.
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Show every change of a long plan.
    #[arg(long)]
    pub(super) all: bool,
    /// Look at everybody's accounts, also at those whom `recheck` lets pass.
    #[arg(long)]
    pub(super) recheck: bool,
    /// With --lab: let the simulators fail on the way, at places that follow from this number.
    #[arg(long, value_name = "SEED")]
    pub(super) chaos: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct Watch {
    /// Carry out plans that no limit stops. Without it every plan waits until somebody approves it.
    #[arg(long)]
    pub(super) apply: bool,
    /// End when there is nothing left to do.
    #[arg(long)]
    pub(super) once: bool,
    /// Only list folders, as often as configured, and ask for no events.
    #[arg(long)]
    pub(super) no_events: bool,
    /// So many seconds pass in one: to see in minutes what a day brings.
    #[arg(long, value_name = "N", default_value_t = 1, hide = true)]
    pub(super) pace: u32,
}

#[derive(Debug, Args)]
pub(super) struct Reject {
    /// The number of the run.
    #[arg(value_name = "RUN", value_parser = run)]
    pub(super) run: i64,
    /// Taken and without effect: it changes nothing anywhere, and so does not ask.
    #[arg(long, short, hide = true)]
    pub(super) yes: bool,
    /// Who rejects it; the name of the account this runs as, if not given.
    #[arg(long, value_name = "NAME")]
    pub(super) by: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Link {
    /// Who: a source and its key, such as `hr/1001`.
    #[arg(value_name = "PERSON")]
    pub(super) person: String,
    /// Her account, or a record about her: a system and its id there, such as `gitlab:42` or `website:7`.
    #[arg(value_name = "ACCOUNT")]
    pub(super) account: Option<String>,
    /// Who says so; the name of the account this runs as, if not given.
    #[arg(long, value_name = "NAME", requires = "account")]
    pub(super) by: Option<String>,
    /// Do not ask before an account is taken from somebody else.
    #[arg(long, short, requires = "account")]
    pub(super) yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct Unlink {
    /// Who: a source and its key, such as `hr/1001`.
    #[arg(value_name = "PERSON")]
    pub(super) person: String,
    /// The account or the other record that is not hers: a system and its id there, such as `gitlab:42` or `website:7`.
    #[arg(value_name = "ACCOUNT")]
    pub(super) account: String,
    /// Who says so; the name of the account this runs as, if not given.
    #[arg(long, value_name = "NAME")]
    pub(super) by: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenAct {
    /// Keep the token that standard input holds, sealed with the configured key.
    Set(TokenOf),
    /// Show whose tokens are kept, and until when they are good.
    List,
    /// Forget a token.
    Remove(TokenOf),
}

#[derive(Debug, Args)]
pub(super) struct TokenOf {
    /// Whose: a source and its key, such as `hr/1001`.
    #[arg(value_name = "PERSON")]
    pub(super) person: String,
    /// At which system; it need not be said where there is only one.
    #[arg(long, value_name = "SYSTEM")]
    pub(super) system: Option<String>,
    /// Taken so that nothing of it is repeated: it may be a token.
    #[arg(hide = true, value_name = "NOTHING")]
    pub(super) more: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Settle {
    /// The number of the run.
    #[arg(value_name = "RUN", value_parser = run)]
    pub(super) run: i64,
    /// Do not ask.
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Who settles it; the name of the account this runs as, if not given.
    #[arg(long, value_name = "NAME")]
    pub(super) by: Option<String>,
    /// Even though the rules have changed since: it is carried out as it was shown.
    #[arg(long)]
    pub(super) anyway: bool,
}

#[derive(Debug, Args)]
pub(super) struct Runs {
    /// The number of one run.
    #[arg(value_name = "RUN", value_parser = run)]
    pub(super) run: Option<i64>,
    /// List all runs, not only the newest 50.
    #[arg(long, conflicts_with = "run")]
    pub(super) all: bool,
    /// Look whether the journal and the plans are what was written; name every entry that is not.
    #[arg(long, conflicts_with_all = ["run", "all", "prune", "backup"])]
    pub(super) verify: bool,
    /// Remove plans and journals of runs that were over this long ago, such as 90d. That they were stays known.
    #[arg(long, value_name = "AGE", conflicts_with_all = ["run", "all", "backup"])]
    pub(super) prune: Option<String>,
    /// Do not ask before pruning.
    #[arg(long, short, requires = "prune")]
    pub(super) yes: bool,
    /// Write a copy of the state store, as it is at this moment.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run", "all"])]
    pub(super) backup: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Resume {
    /// The number of the run; all that broke off or left calls that may pass now, if not given.
    #[arg(value_name = "RUN", value_parser = run)]
    pub(super) run: Option<i64>,
    /// A call in doubt that had its effect, as somebody saw at the provider.
    #[arg(long, value_name = "CALL", requires = "run")]
    pub(super) done: Vec<String>,
    /// A call in doubt that had no effect: it is sent again.
    #[arg(long, value_name = "CALL", requires = "run")]
    pub(super) again: Vec<String>,
    /// Who says so; the name of the account this runs as, if not given.
    #[arg(long, value_name = "NAME", requires = "run")]
    pub(super) by: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Undo {
    /// The number of the run.
    #[arg(value_name = "RUN", value_parser = run)]
    pub(super) run: i64,
    /// Save the plan, to read, to hand on, and to apply exactly; carry it out only with --yes.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Do not ask.
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Show every change of a long plan.
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Args)]
pub(super) struct Lab {
    /// Invent this many people in every simulator.
    #[arg(long, value_name = "N")]
    pub(super) people: Option<u64>,
    /// Go on in the background; `homeward lab stop` ends it.
    #[arg(long)]
    pub(super) detach: bool,
    #[command(subcommand)]
    pub(super) act: Option<LabAct>,
}

/// What can be done with a lab that runs.
#[derive(Debug, Subcommand)]
pub(super) enum LabAct {
    /// Let somebody sign in at a simulator, as a person would in a browser.
    Login {
        /// The system.
        system: String,
        /// An id or a username.
        user: String,
    },
    /// Change a simulator's settings while it runs, such as '{"version":"3.2.1"}'.
    Set {
        /// The system.
        system: String,
        /// Settings as JSON, such as '{"version":"3.2.1"}'.
        settings: String,
    },
    /// Change stored fields of a user behind everybody's back, as a colleague in the web interface would.
    Meddle {
        /// The system.
        system: String,
        /// An id or a username.
        user: String,
        /// Fields as JSON.
        fields: String,
    },
    /// Print the whole state of a simulator.
    Show {
        /// The system.
        system: String,
    },
    /// End the lab.
    Stop,
}

/// A date as rules see it.
fn date(text: &str) -> Result<jiff::civil::Date, String> {
    text.parse().map_err(|_| "a date is written YYYY-MM-DD, as 2026-12-31".to_owned())
}

/// The number of a run.
fn run(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "a run is called by its number, as `homeward runs` shows it".to_owned())
}
