# SPDX-License-Identifier: Apache-2.0
"""`ros2 bag`: arguments for rosbag2_py. An argument's `dest` is the name of the option that it sets."""

import argparse
import datetime
import os

import rosbag2_py


def _error(text: str) -> str:
    return f"[ERROR] [ros2bag]: {text}"


def _path(text: str) -> str:
    if not os.path.exists(text):
        raise argparse.ArgumentTypeError(f"Bag path '{text}' does not exist!")
    return text


def _positive(text: str) -> float:
    if float(text) <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not in the valid range (> 0.0)")
    return float(text)


def _options(options, args):
    """Set what the arguments say."""
    for name, value in vars(args).items():
        if hasattr(options, name):
            setattr(options, name, value)
    return options


def _record(args) -> str | None:
    args.uri = args.uri or datetime.datetime.now().strftime("rosbag2_%Y_%m_%d-%H_%M_%S")
    args.topics = args.topics_positional or args.topics
    if not any((args.all_topics, args.topics, args.regex)):
        return _error("Need to specify at least one option out of --all, --all-topics, --topics or --regex")
    if os.path.isdir(args.uri):
        return _error(f"Output folder '{args.uri}' already exists.")
    storage = _options(rosbag2_py.StorageOptions(uri=args.uri), args)
    rosbag2_py.Recorder(args.log_level).record(storage, _options(rosbag2_py.RecordOptions(), args))
    return None


def _play(args):
    args.topic_remapping_options = ["--ros-args", *(part for rule in args.remap for part in ("--remap", rule))]
    if args.clock_publish_frequency > 0:
        args.exclude_topics_to_filter = [*args.exclude_topics_to_filter, "/clock"]
    storage = rosbag2_py.StorageOptions(uri=args.bag_path, storage_id=args.storage_id)
    rosbag2_py.Player(args.log_level).play(storage, _options(rosbag2_py.PlayOptions(), args))


def _info(args):
    print(rosbag2_py.Info().read_metadata(args.bag_path, args.storage_id))


def _record_arguments(add):
    add("topics_positional", metavar="[Topic ...]", nargs="*", default=[], help="Topics to record (deprecated)")
    add("--topics", nargs="+", default=[], help="Topics to record")
    add("--exclude-topics", nargs="+", default=[], help="Topics not to record")
    add("-a", "--all", "--all-topics", action="store_true", dest="all_topics", help="Record all topics but hidden ones")
    add("-e", "--regex", default="", help="Record only topics containing the regular expression")
    add("--exclude-regex", default="", help="Exclude topics containing the regular expression")
    add("--include-hidden-topics", action="store_true", help="Record hidden topics as well")
    add("--use-sim-time", action="store_true", help="Use simulation time for message timestamps")
    add("-o", "--output", dest="uri", help="Destination of the bagfile to create, defaults to a timestamped folder")
    add("-s", "--storage", dest="storage_id", default="mcap", choices=["mcap", "sqlite3"], help="Storage identifier")
    add("-b", "--max-bag-size", type=int, default=0, dest="max_bagfile_size", help="Bytes; 0 does not split")
    add("-d", "--max-bag-duration", type=int, default=0, dest="max_bagfile_duration", help="Seconds; 0 does not split")


def _play_arguments(add):
    add("-r", "--rate", type=_positive, default=1.0, help="Rate of play back")
    add("--topics", nargs="+", default=[], dest="topics_to_filter", help="Topics to play")
    add("--exclude-topics", nargs="+", default=[], dest="exclude_topics_to_filter", help="Topics not to play")
    add("-e", "--regex", default="", dest="regex_to_filter", help="Play only topics that match")
    add("-x", "--exclude-regex", default="", dest="exclude_regex_to_filter", help="Topics not to play")
    add("-l", "--loop", action="store_true", help="Start again at the end")
    add("-m", "--remap", nargs="+", default=[], help="Topics to be remapped: old:=new ...")
    rate = {"type": _positive, "nargs": "?", "const": 40.0, "default": 0.0, "dest": "clock_publish_frequency"}
    add("--clock", help="Publish /clock at this rate in Hz", **rate)
    add("-d", "--delay", type=_positive, default=0.0, help="Seconds to sleep before play")
    add("--start-offset", type=float, default=0.0, help="Seconds into the bag to start at")


def add_arguments(parser):
    """Declare the verbs."""
    verbs = parser.add_subparsers(title="Commands", metavar="<verb>")
    for name, text, main, arguments in (
        ("record", "Record ROS data to a bag", _record, _record_arguments),
        ("play", "Play back ROS data from a bag", _play, _play_arguments),
        ("info", "Print information about a bag to the screen", _info, None),
    ):
        verb = verbs.add_parser(name, help=text, description=text)
        verb.set_defaults(main=main)
        if name != "record":
            verb.add_argument("bag_path", type=_path, help="Bag to open")
            verb.add_argument("-s", "--storage", dest="storage_id", default="", choices=["", "mcap", "sqlite3"])
        if arguments:
            arguments(verb.add_argument)
            verb.add_argument("--log-level", default="info", choices=["debug", "info", "warn", "error", "fatal"])
            verb.add_argument("--disable-keyboard-controls", action="store_true", help="Accepted; there are none")
