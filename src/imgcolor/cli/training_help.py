"""The short ``--help`` of fit, validate, test, predict and baseline: the options that most users need.

These are texts, because the parser of LightningCLI takes seconds to build. ``--help-all`` asks that parser.
"""

_FIT = """usage: imgcolor fit --config FILE [--OPTION VALUE ...]

Train a network. Each value of the YAML file is also an option, and options that
follow --config replace its values. All files of a run are written to
lightning_logs/NAME/version_N.

Examples:
  imgcolor fit --config experiments/quickstart.yaml
  imgcolor fit --config experiments/horses/best_regression.yaml \\
      --data.source folder --data.root ~/images --trainer.max_epochs 50
  imgcolor fit --config experiments/horses/colour_unet.yaml --ckpt_path last

Run:
  --config FILE                  an experiment; the package has experiments/*
  --ckpt_path FILE               continue this checkpoint; last: the newest run
  --seed_everything N            seed of all random numbers (default: 0)
  --trainer.max_epochs N         number of epochs
  --trainer.max_time DD:HH:MM:SS stop after this time
  --trainer.accelerator NAME     cpu, gpu, mps (default: auto)
  --trainer.devices N            number of processors or GPUs
  --trainer.precision NAME       32-true, bf16-mixed, 16-mixed
  --trainer.logger.name NAME     name of the folder of the runs
  --trainer.callbacks+ CLASS     add a callback, such as EpsilonPatience
  --trainer.fast_dev_run true    one batch, no files: does it work?

Data:
  --data CLASS                   {Horse,Face,Photo}ColourizationDataModule,
                                 {Horse,Photo}SuperResolutionDataModule
  --data.source NAME             cifar10, folder, lfw, stream, synthetic
  --data.root DIR|URL            where the images are
  --data.size N                  height and width of the images in pixels
  --data.batch_size N            images per training step
  --data.augmentation CLASS      such as FlipAndShift
  --data.holdout FRACTION        validate on a part of the training images

Model:
  --model CLASS                  ColourClassification (palette colours),
                                 ColourRegression (RGB), PhotoColourization
  --model.network CLASS          ChromaUNet, ColourCNN, ColourUNet, ConvStack,
                                 EDSR, RegressionCNN, ResidualUNet,
                                 ResidualUpscaler, or mine.Network
  --model.network.ARGUMENT VALUE such as base_channels 32, kernel_size 3
  --model.palette K|FILE         number of colours, or a palette
                                 (ColourClassification only)
  --model.init_from NAME|FILE    start from the weights of a trained model
  --model.optimizer CLASS        such as Adam, SGD, imgcolor.optim.Muon
  --model.optimizer.lr RATE      learning rate
  --model.lr_scheduler CLASS     such as CosineAnnealingLR, with its arguments

Output:
  --images.every_n_epochs N      epochs between two image grids (default: 5)
  --checkpoint.monitor METRIC    metric of best.ckpt (default: val/loss)
  --details.lpips true           measure LPIPS too

To see the rest:
  imgcolor fit --help-all                          all options
  imgcolor fit --data.help FaceColourizationDataModule
  imgcolor fit --model.help ColourClassification
  imgcolor fit --model.help ColourClassification --model.network.help ColourUNet
  imgcolor fit --trainer.callbacks.help EpsilonPatience
  imgcolor fit --config FILE --print_config        all values of a run
"""

_TRAINED = """usage: imgcolor {command} --config FILE --ckpt_path FILE [--OPTION VALUE ...]

{summary}

Example:
  run=lightning_logs/quickstart/version_0
  imgcolor {command} --config $run/config.yaml \\
      --ckpt_path $run/checkpoints/best.ckpt{more}

Options:
  --config FILE                  the config.yaml of the run
  --ckpt_path FILE               the trained network; last: the newest run
  --data.source NAME             cifar10, folder, lfw, stream, synthetic
  --data.root DIR|URL            where the images are
  --data.eval_batch_size N       images per step
{options}  --trainer.accelerator NAME     cpu, gpu, mps (default: auto)

`imgcolor {command} --help-all` lists all options. `imgcolor fit --help` explains
more of them.
"""

_BASELINE = """usage: imgcolor baseline --config FILE [--output FILE] [--OPTION VALUE ...]

Print the metrics of methods without a network, such as a lookup table from grey
to colour or bicubic interpolation, on the validation images of an experiment.

Example:
  imgcolor baseline --config experiments/horses/colour_unet.yaml

Options:
  --config FILE                  an experiment, or the config.yaml of a run
  --output FILE                  also write the metrics to this JSON file
  --data.source NAME             cifar10, folder, lfw, stream, synthetic
  --data.root DIR|URL            where the images are

`imgcolor baseline --help-all` lists all options, and `imgcolor fit --help`
explains more of them.
"""

_DETAILS = "  --details.lpips true           measure LPIPS too\n"

HELP = {
    "fit": _FIT,
    "validate": _TRAINED.format(
        command="validate",
        summary="Compute the metrics of a trained network on the validation images, next to the\nbest baseline.",
        more="",
        options=_DETAILS,
    ),
    "test": _TRAINED.format(
        command="test",
        summary="Compute the metrics of a trained network on the test images, next to the best\nbaseline.",
        more="",
        options=_DETAILS,
    ),
    "predict": _TRAINED.format(
        command="predict",
        summary="Resize images to the size of the training images, and write the output of a\n"
        "trained network as PNG files. For photos in full size:\n"
        "imgcolor colourize PHOTO --model CHECKPOINT",
        more=" \\\n      --data.source folder --data.root ~/photos --predictions.folder coloured",
        options="  --predictions.folder DIR       where the PNG files are written\n",
    ),
    "baseline": _BASELINE,
}
"""Command to its help text: at most 80 lines of at most 80 characters."""
