//! Weights files and exports of models.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use vision::data::Device;
use vision::models::export::{
    Names, OnnxConfig, export_onnx, export_safetensors, export_safetensors_as,
    export_safetensors_with,
};
use vision::models::state::{NamedTensor, tensors};
use vision::models::weights::{
    HubConfig, LoadReport, SealedFile, TensorToWrite, Values, Wanted, WeightsFile, WeightsSource,
    check_seal, load_into, sealed_bytes, write_safetensors, write_sealed,
};
use vision::models::{Cut, Description, Init, near_repositories};
use vision::prelude::*;

use crate::support::{Folder, tiny};
use crate::table::{ANY, Table};
use crate::values::{ISIZE, USIZE, readable, text_lists, texts, writable};

pub(crate) fn table(t: &mut Table) {
    let folder = Folder::new();
    let model = tiny(&mut Init::zeroed(&Device::default()));
    let all = tensors(&model);
    let none = BTreeMap::new();
    let good = folder.path().join("good.safetensors");
    export_safetensors(&model, &good).unwrap();
    let file = || WeightsFile::open(good.as_path()).unwrap();
    let readable = || readable(folder.path());
    let writable = || writable(folder.path());

    t.line("Cut::apply", "cut", ISIZE, |n| {
        Cut::At(n).apply(model.clone(), 1)
    });
    t.line("Cut::apply", "cut", ISIZE, |n| {
        Cut::Default.apply(model.clone(), n)
    });
    t.paths("export_onnx", writable(), |path| {
        export_onnx(&model, path, &OnnxConfig::default())
    });
    t.paths("export_safetensors", writable(), |path| {
        export_safetensors(&model, path)
    });
    t.paths("export_safetensors_as", writable(), |path| {
        export_safetensors_as(&model, path, Names::Timm)
    });
    t.line("export_safetensors_with", "name", texts(), |text| {
        export_safetensors_with(&all, folder.path().join("renamed.safetensors"), |_| {
            Some(text.clone())
        })
    });
    let tensor = |name: &str, shape: Vec<usize>| NamedTensor {
        name: name.to_owned(),
        shape,
        values: vec![1.0],
    };
    let out = folder.path().join("out.safetensors");
    t.paths("write_safetensors", writable(), |path| {
        write_safetensors(path, &all, &none)
    });
    t.line("write_safetensors", "name", texts(), |text| {
        write_safetensors(&out, &[tensor(&text, vec![1])], &none)
    });
    t.line("write_safetensors", "shape", USIZE, |n| {
        write_safetensors(&out, &[tensor("a", vec![n])], &none)?;
        write_safetensors(&out, &[tensor("a", vec![n, n])], &none)
    });
    t.line("write_safetensors", ANY, texts(), |text| {
        let metadata = BTreeMap::from([(text.clone(), text)]);
        write_safetensors(&out, &all, &metadata)
    });
    t.paths("write_sealed", writable(), |path| {
        write_sealed(path, &all, &none)
    });
    t.line("write_sealed", "shape", USIZE, |n| {
        write_sealed(&out, &[tensor("a", vec![n, 2])], &none)
    });
    t.paths("check_seal", readable(), |path| check_seal(path));
    t.paths("WeightsFile::open", readable(), |path| {
        WeightsFile::open(path)
    });
    for extension in ["pth", "onnx", "safetensors", "pth.tar"] {
        t.line("WeightsFile::open", "weights", texts(), |text| {
            let path = folder.path().join(format!("weights.{extension}"));
            fs::write(&path, text).unwrap();
            WeightsFile::open(path.as_path())
        });
    }
    t.line("WeightsFile::contains", ANY, texts(), |text| {
        black_box(file().contains(&text))
    });
    t.line("WeightsFile::shape", ANY, texts(), |text| {
        drop(file().shape(&text).map(<[usize]>::to_vec))
    });
    t.line("WeightsFile::metadata", ANY, texts(), |text| {
        drop(file().metadata(&text).map(str::to_owned))
    });
    t.line(
        "WeightsFile::read_f32",
        "good.safetensors",
        texts(),
        |text| file().read_f32(&text),
    );
    t.line("LoadReport::without", ANY, texts(), |text| {
        let (_, report): (_, LoadReport) = load_into(model.clone(), &file()).unwrap();
        drop(report.without(&text).to_string());
    });
    let load = |source: WeightsSource| {
        let (_, report) = load_into(model.clone(), &WeightsFile::open(source)?)?;
        report.require_complete()
    };
    t.line("Arch::from_timm", ANY, texts(), |text| {
        Arch::from_timm(&text)
    });
    t.line("Names::of", ANY, text_lists(), |names| {
        for scheme in [Names::Torchvision, Names::Timm, Names::FastAi] {
            black_box(scheme.of(&names));
        }
    });
    t.line("near_repositories", ANY, texts(), |text| {
        black_box(near_repositories(&text));
    });
    t.paths("HubConfig::read", readable(), HubConfig::read);
    t.paths("WeightsSource::new", readable(), |path| {
        load(WeightsSource::new(path))
    });
    t.paths("WeightsSource::with_path", readable(), |path| {
        load(WeightsSource::new("a").with_path(path))
    });
    t.line("WeightsSource::key", "key", texts(), |text| {
        load(WeightsSource::new(&good).key(text))
    });
    t.line("WeightsSource::prefix", "prefix", texts(), |text| {
        load(WeightsSource::new(&good).prefix(text))
    });
    t.line("Wanted::new", ANY, text_lists(), |names| {
        let shape = [usize::MAX, 2];
        let wanted = Wanted::new(names.iter().map(|name| (name.as_str(), &shape[..])));
        drop(
            file()
                .matched(&wanted)
                .map(|file| LoadReport::compare(&file, &wanted).to_string()),
        );
    });
    t.line("Wanted::with_children", ANY, text_lists(), |names| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let wanted = Wanted::new([("0.weight", &[4, 3, 3, 3][..])]).with_children(&names);
        drop(
            file()
                .matched(&wanted)
                .map(|file| LoadReport::compare(&file, &wanted).to_string()),
        );
    });
    t.line("Wanted::with_body", ANY, text_lists(), |names| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let wanted = Wanted::new([("0.weight", &[4, 3, 3, 3][..])]).with_body(&names);
        drop(
            file()
                .matched(&wanted)
                .map(|file| LoadReport::compare(&file, &wanted).to_string()),
        );
    });
    t.line("WeightsFile::open", "architecture", texts(), |text| {
        text.parse::<Arch>()
    });

    let description = Description::of(&model);
    t.line("Description::check", "network", USIZE, |n| {
        description.check(Some([n, 8]))?;
        description.check(Some([8, n]))
    });
    t.line("Description::build", "network", USIZE, |n| {
        description
            .build(|_| Some(vec![n, n]), &Device::default())
            .map(|_| ())
    });
    let entry = |name: &str, shape: &[usize], values: Values<'_>| {
        let entry = TensorToWrite {
            name,
            shape,
            values,
        };
        sealed_bytes(Path::new("sealed.safetensors"), &[entry], &none)
    };
    t.line("sealed_bytes", "sealed", texts(), |text| {
        entry(&text, &[1], Values::F32(&[1.0]))
    });
    t.line("sealed_bytes", "sealed", USIZE, |n| {
        entry("a", &[n, n], Values::F16(&[1.0]))?;
        entry("a", &[n], Values::Bytes(b"x"))
    });
    let good = entry("a", &[1], Values::Bytes(b"x")).unwrap();
    let bytes = || {
        let long = vec![0xff; 100_000];
        vec![
            Vec::new(),
            vec![0; 8],
            vec![0xff; 9],
            b"{}".to_vec(),
            long,
            good.clone(),
        ]
    };
    t.line("SealedFile::parse", "sealed", bytes(), |bytes| {
        SealedFile::parse(Path::new("sealed"), &bytes).map(|_| ())
    });
    t.line("SealedFile::begins", ANY, bytes(), |bytes| {
        SealedFile::begins(&bytes)
    });
    let sealed = SealedFile::parse(Path::new("sealed"), &good).unwrap();
    t.line("SealedFile::metadata", ANY, texts(), |text| {
        sealed.metadata(&text).map(str::to_owned)
    });
    t.line("SealedFile::shape", ANY, texts(), |text| {
        sealed.shape(&text).map(<[usize]>::to_vec)
    });
    t.line("SealedFile::bytes", ANY, texts(), |text| {
        sealed.bytes(&text).map(<[u8]>::to_vec)
    });
    t.line("SealedFile::read_f32", "sealed", texts(), |text| {
        sealed.read_f32(&text)
    });
}
