//! `cargo xtask`: the project's own commands. Everything they install goes into `.cache` in the
//! repository.

mod accuracy;
mod bench;
mod cache;
mod cuda;
mod demo;
mod deny;
mod determinism;
mod exports;
mod jupyter;
mod kernel;
mod notebooks;
mod onnxruntime;
mod peers;
mod python;
mod shell;
mod steps;
mod test;
mod tool;

use anyhow::{Result, bail};
use std::ffi::OsString;
use std::process::ExitCode;

use cache::Cache;
use steps::Steps;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo [ARGS…]     train on the handwritten digits, export, check; ARGS go to `trainbook demo`
  test [--quick]   everything that CI checks; --quick leaves out the notebooks and their kernel
  notebooks [--save]
                   run the notebooks in their kernel; --save keeps what the cells show in the files
  accuracy [--json] [TASK…]
                   how well the library learns: six tasks beside PyTorch's figures, four beside
                   themselves without augmentation or in f32
  bench            the trainer's step against a hand-written loop, and what export and store cost
  peers [--json] [--only PEER] [MODEL…]
                   a training step of six networks beside PyTorch, candle and burn
  peers memory [MODEL…]
                   what training holds in memory beside PyTorch, and whether it grows
  peers store [--quick]
                   the run store beside MLflow with SQLite; --quick asks 1,000 runs only, not 10,000
  cuda             build and run what needs a CUDA device: layers, losses, optimisers and fits beside
                   the processor's, and how long steps take (installs CUDA's compiler)
  cuda pack [FOLDER]
                   the same without a device, into a folder that is run on another machine
  deny             check licences, versions, sources and advisories of all dependencies by deny.toml
                   (installs cargo-deny and asks the advisory database)
  jupyter [ARGS…]  open the notebooks in JupyterLab, with the kernel; ARGS go to `jupyter-lab`
  jupyter --check  check the kernel with Jupyter's client, print how long cells take, and check the
                   doctor with faults planted in a copy of what is installed
  jupyter --pictures
                   take the book's pictures of JupyterLab (needs chromium)
  setup            only install what notebooks need (into .cache, and rust-src into the toolchain)
  setup --tests    the same for all commands
";

const COMMANDS: [&str; 10] =
    ["demo", "test", "notebooks", "jupyter", "accuracy", "bench", "peers", "cuda", "deny", "setup"];

fn main() -> ExitCode {
    match dispatch(std::env::args_os().skip(1).collect()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(mut args: Vec<OsString>) -> Result<ExitCode> {
    if args.is_empty() {
        eprint!("{USAGE}");
        return Ok(ExitCode::from(2));
    }
    let command = args.remove(0).to_string_lossy().into_owned();
    match command.as_str() {
        "demo" => return demo::run(&args),
        "accuracy" => return accuracy::run(&args),
        "test" => test::run(flag(&command, &args, "--quick")?)?,
        "notebooks" => notebooks::run(flag(&command, &args, "--save")?)?,
        "bench" => {
            no_options(&command, &args)?;
            bench::run()?;
        }
        "peers" => peers::run(&args)?,
        "cuda" => cuda::run(&args)?,
        "deny" => {
            no_options(&command, &args)?;
            deny::run()?;
        }
        "jupyter" if args.first().is_some_and(|arg| arg == "--check") => {
            flag(&command, &args, "--check")?;
            jupyter::check()?;
        }
        "jupyter" if args.first().is_some_and(|arg| arg == "--pictures") => {
            flag(&command, &args, "--pictures")?;
            jupyter::pictures()?;
        }
        "jupyter" => jupyter::run(&args)?,
        "setup" if flag(&command, &args, "--tests")? => setup()?,
        "setup" => jupyter::setup()?,
        "help" | "--help" | "-h" => print!("{USAGE}"),
        unknown => bail!("no command `{unknown}`; {}", nearest(unknown, &COMMANDS)),
    }
    Ok(ExitCode::SUCCESS)
}

fn setup() -> Result<()> {
    let cache = Cache::open()?;
    let mut steps = Steps::default();
    let installed = install(&cache, &mut steps, true);
    steps.print();
    installed
}

/// Installs what the tests need. Without `notebooks`, the Jupyter kernel (minutes to build) is left
/// out.
fn install(cache: &Cache, steps: &mut Steps, notebooks: bool) -> Result<()> {
    let _lock = cache.lock()?;
    steps.run("install ONNX Runtime", || onnxruntime::install(cache))?;
    std::thread::scope(|scope| {
        // They wait for the network where mdbook is compiled.
        let packages = scope.spawn(|| python::install(cache));
        steps.run("install mdbook", || tool::MDBOOK.install(cache))?;
        let join = || packages.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        steps.run("install Python packages, begun with it", join)
    })?;
    // Last: what fails above fails within minutes.
    if notebooks {
        steps.run("install the notebook kernel", || kernel::install(cache))?;
    }
    Ok(())
}

fn flag(command: &str, args: &[OsString], known: &str) -> Result<bool> {
    for arg in args {
        if arg != known {
            let arg = arg.to_string_lossy();
            bail!("`cargo xtask {command}` has no option `{arg}`; {}", nearest(&arg, &[known]));
        }
    }
    Ok(!args.is_empty())
}

fn no_options(command: &str, args: &[OsString]) -> Result<()> {
    match args.first() {
        Some(arg) => {
            bail!("`cargo xtask {command}` takes no options, but got `{}`", arg.to_string_lossy())
        }
        None => Ok(()),
    }
}

/// "did you mean …?", or the whole choice when nothing is near.
fn nearest(word: &str, known: &[&str]) -> String {
    let best = known.iter().map(|k| (strsim::damerau_levenshtein(word, k), k)).min();
    match best {
        Some((distance, k)) if distance <= 1 + k.len() / 3 => format!("did you mean `{k}`?"),
        _ => format!(
            "there is {}",
            known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_gets_the_nearest_one() {
        assert_eq!(nearest("tset", &COMMANDS), "did you mean `test`?");
        assert_eq!(nearest("--quik", &["--quick"]), "did you mean `--quick`?");
        assert_eq!(
            nearest("deploy", &COMMANDS),
            "there is `demo`, `test`, `notebooks`, `jupyter`, `accuracy`, `bench`, `peers`, \
             `cuda`, `deny`, `setup`"
        );
    }

    #[test]
    fn unknown_words_are_refused_by_name() {
        let error = dispatch(vec!["benhc".into()]).unwrap_err().to_string();
        assert_eq!(error, "no command `benhc`; did you mean `bench`?");
        let error =
            flag("test", &["--quick".into(), "--fast".into()], "--quick").unwrap_err().to_string();
        assert!(error.contains("has no option `--fast`"), "{error}");
        assert!(flag("test", &["--quick".into()], "--quick").unwrap());
        assert!(!flag("test", &[], "--quick").unwrap());
    }
}
