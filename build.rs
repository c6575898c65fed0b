//! Compiles `proto/`: the descriptors of everything, embedded as the vocabulary, and Rust types of the few
//! packages that the gateway itself speaks. Sources are served from descriptors and need no types.

use std::error::Error;
use std::path::{Path, PathBuf};

use protox::Compiler;

/// Packages that get Rust types; of Google's, for the generator's sake, only what they refer to.
const TYPED: [&str; 3] = ["sluis.options.v1", "sluis.audit.v1", "sandbox.housing.v1"];
const REFERRED: &str = "google/protobuf/timestamp.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=proto"); // a folder: every file in it, at any depth
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let mut files = Vec::new();
    list(Path::new("proto"), &mut files)?;
    files.sort();

    let mut compiler = Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(false).open_files(&files)?;
    // The one call that keeps the options.
    std::fs::write(out.join("vocabulary.bin"), compiler.encode_file_descriptor_set())?;

    let mut compiler = Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?; // comments become documentation
    let mut typed = compiler.file_descriptor_set();
    typed.file.retain(|file| TYPED.contains(&file.package()) || file.name() == REFERRED);
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_well_known_types(true)
        .extern_path(".google.protobuf", "::prost_reflect::prost_types")
        .skip_debug([".sluis.audit.v1"]) // records of the log name people
        .compile_fds(typed)?;
    Ok(())
}

/// Every `.proto` file below a folder.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), std::io::Error> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
