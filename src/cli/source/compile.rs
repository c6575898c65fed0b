//! `sluis source build`: from `.proto` files to a descriptor set, where neither buf nor protoc is at hand.

use std::io::Write;
use std::path::{Path, PathBuf};

use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};

use super::{say, write};
use crate::cli::{Exit, Failure};

/// Build a descriptor set from .proto files; options.proto and Google's own files are built in
#[derive(Debug, clap::Args)]
pub struct BuildArgs {
    /// The files
    #[arg(value_name = "PROTO", required = true)]
    pub files: Vec<PathBuf>,
    /// Where imports are looked for; may be given again. Without it, the folder of the first file
    #[arg(long, short = 'I', value_name = "DIR")]
    pub include: Vec<PathBuf>,
    /// Where the set is written
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
}

/// Builds.
///
/// # Errors
/// Where a file does not compile, or the set cannot be written.
pub fn run(args: &BuildArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let set = compile(&args.files, &args.include)?;
    write(&args.output, &set)?;
    say(out, format_args!("{}: {} bytes", args.output.display(), set.len()))
}

const OPTIONS: &str = "sluis/options/v1/options.proto";
const OPTIONS_TEXT: &str = include_str!("../../../proto/sluis/options/v1/options.proto");

/// The encoded set of some files with all that they import.
///
/// # Errors
/// Where one does not compile; the message names file, line and column.
pub fn compile(files: &[PathBuf], include: &[PathBuf]) -> Result<Vec<u8>, Failure> {
    let faulty = |error: protox::Error| Failure::new(Exit::Fault, error);
    let beside = files.first().and_then(|file| file.parent()).unwrap_or(Path::new("."));
    let beside = if beside.as_os_str().is_empty() { Path::new(".") } else { beside };
    let mut resolver = ChainFileResolver::new();
    // First, so that no file of the same name takes its place.
    resolver.add(Options);
    if include.is_empty() {
        resolver.add(IncludeFileResolver::new(beside.to_owned()));
    }
    for folder in include {
        resolver.add(IncludeFileResolver::new(folder.clone()));
    }
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(false);
    for file in files {
        compiler.open_file(file).map_err(faulty)?;
    }
    // The one call that keeps the options.
    Ok(compiler.encode_file_descriptor_set())
}

/// The gateway's own options.proto.
struct Options;

impl FileResolver for Options {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == OPTIONS {
            File::from_source(name, OPTIONS_TEXT)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}
