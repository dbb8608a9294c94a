# SPDX-License-Identifier: Apache-2.0
"""`ros2 bag`: arguments for rosbag2_py. An argument's `dest` is the name of the option that it sets."""

import argparse
import datetime
import os

import rosbag2_py
import yaml
from rclpy.duration import Duration
from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSLivelinessPolicy, QoSProfile, QoSReliabilityPolicy

_POLICIES = {
    "history": QoSHistoryPolicy,
    "reliability": QoSReliabilityPolicy,
    "durability": QoSDurabilityPolicy,
    "liveliness": QoSLivelinessPolicy,
}


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


def _qos_overrides(path: str) -> dict[str, QoSProfile]:
    """Profiles by topic from a YAML file; RuntimeError if it has something that is no policy or no value of one."""

    def value_of(key, value):
        if key in _POLICIES:
            return _POLICIES[key][value.upper()]
        if key in ("deadline", "lifespan", "liveliness_lease_duration"):
            return Duration(seconds=value["sec"], nanoseconds=value["nsec"])
        if key not in ("depth", "avoid_ros_namespace_conventions"):
            raise ValueError(f"Unexpected key `{key}` for QoS profile.")
        return value

    try:
        with open(_path(path), encoding="utf-8") as file:
            profiles = yaml.safe_load(file).items()
        return {topic: QoSProfile(**{k: value_of(k, v) for k, v in profile.items()}) for topic, profile in profiles}
    except (AttributeError, ValueError, KeyError, TypeError) as exc:
        raise RuntimeError(_error(str(exc))) from exc


def _options(options, args):
    """Set what the arguments say, services as the topics of their events."""
    for name, value in vars(args).items():
        if hasattr(options, name):
            is_service = name in ("services", "services_to_filter") or name.startswith("exclude_service_events")
            setattr(options, name, [f"{service}/_service_event" for service in value] if is_service else value)
    options.node_prefix = "_ros2cli"
    return options


def _record(args) -> str | None:
    args.uri = args.uri or datetime.datetime.now().strftime("rosbag2_%Y_%m_%d-%H_%M_%S")
    args.topics = args.topics_positional or args.topics
    args.all_topics, args.all_services = args.all_topics or args.all, args.all_services or args.all
    if not any((args.all_topics, args.all_services, args.services, args.topics, args.topic_types, args.regex)):
        return _error(
            "Need to specify at least one option out of --all, --all-topics, --all-services, --services, --topics, "
            "--topic-types or --regex"
        )
    if os.path.isdir(args.uri):
        return _error(f"Output folder '{args.uri}' already exists.")
    if args.use_sim_time and args.is_discovery_disabled:
        return _error(
            "--use-sim-time and --no-discovery both set, but are incompatible settings. The /clock topic needs to be "
            "discovered to record with sim time."
        )
    if args.compression_format and args.compression_mode == "none":
        return _error("Invalid choice: Cannot specify compression format without a compression mode.")
    args.custom_data = dict(pair.split("=", 1) for pair in args.custom_data)
    args.compression_mode = args.compression_mode.upper()
    args.topic_polling_interval = datetime.timedelta(milliseconds=args.topic_polling_interval)
    storage = _options(rosbag2_py.StorageOptions(uri=args.uri), args)
    rosbag2_py.Recorder(args.log_level).record(storage, _options(rosbag2_py.RecordOptions(), args), args.node_name)
    return None


def _play(args):
    args.topic_remapping_options = ["--ros-args", *(part for rule in args.remap for part in ("--remap", rule))]
    args.clock_publish_on_topic_publish = args.clock_topics_all or bool(args.clock_topics)
    if args.clock_publish_frequency > 0:
        args.exclude_topics_to_filter = [*args.exclude_topics_to_filter, "/clock"]
    if args.playback_until_sec >= 0:
        args.playback_until_timestamp = int(args.playback_until_sec * 1e9)
    storage = rosbag2_py.StorageOptions(uri=args.bag_path, storage_id=args.storage_id)
    rosbag2_py.Player(args.log_level).play(storage, _options(rosbag2_py.PlayOptions(), args))


def _info(args):
    if args.verbose:
        rosbag2_py.Info().read_metadata_and_output_service_verbose(args.bag_path, args.storage_id)
        return
    metadata = rosbag2_py.Info().read_metadata(args.bag_path, args.storage_id)
    names = [topic.topic_metadata.name for topic in metadata.topics_with_message_count]
    print("\n".join(n for n in names if not n.endswith("/_service_event")) if args.topic_name else metadata)


def _convert(args):
    inputs = []
    for uri, *storage_id in args.input:
        if len(storage_id) > 1:
            raise RuntimeError(f"--input expects 1 or 2 arguments, {1 + len(storage_id)} provided")
        inputs.append(rosbag2_py.StorageOptions(uri=uri, storage_id="".join(storage_id)))
    rosbag2_py.bag_rewrite(inputs, args.output_options)


def _reindex(args) -> str | None:
    if not os.path.isdir(args.bag_path):
        return _error("Must specify a bag directory")
    rosbag2_py.Reindexer().reindex(rosbag2_py.StorageOptions(uri=args.bag_path, storage_id=args.storage_id))
    return None


def _common_arguments(parser):
    """What record and play share."""
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warn", "error", "fatal"])
    parser.add_argument("--disable-keyboard-controls", action="store_true", help="Disable keyboard controls")
    parser.add_argument("--start-paused", action="store_true", help="Start in a paused state")
    parser.add_argument(
        "--qos-profile-overrides-path",
        type=_qos_overrides,
        dest="topic_qos_profile_overrides",
        default={},
        help="YAML file of QoS profiles by topic",
    )


def _record_arguments(parser):
    writers, default = rosbag2_py.get_registered_writers(), rosbag2_py.get_default_storage_id()
    add = parser.add_argument
    add("-o", "--output", dest="uri", help="Destination of the bagfile to create, defaults to a timestamped folder")
    add("-s", "--storage", dest="storage_id", default=default, choices=writers, help="Storage identifier")
    topics = parser.add_mutually_exclusive_group()
    topics.add_argument("topics_positional", metavar="[Topic ...]", nargs="*", default=[], help="Topics (deprecated)")
    topics.add_argument("--topics", nargs="+", default=[], help="Topics to record")
    add("--services", nargs="+", default=[], help="Services to record")
    add("--topic-types", nargs="+", default=[], help="Topic types to record")
    add("--exclude-topics", nargs="+", default=[], help="Topics not to record")
    add("--exclude-topic-types", nargs="+", default=[], help="Topic types not to record")
    add("--exclude-services", nargs="+", default=[], dest="exclude_service_events", help="Services not to record")
    add("--custom-data", nargs="*", default=[], metavar="KEY=VALUE", help="Pairs for the metadata")
    add("-a", "--all", action="store_true", help="Record all topics and services (hidden topics excluded)")
    add("--all-topics", action="store_true", help="Record all topics (hidden topics excluded)")
    add("--all-services", action="store_true", help="Record all services via service event topics")
    add("--include-unpublished-topics", action="store_true", help="Record topics which have no publisher")
    add("--include-hidden-topics", action="store_true", help="Record hidden topics as well")
    add("--no-discovery", action="store_true", dest="is_discovery_disabled", help="Only topics present at startup")
    add("--ignore-leaf-topics", action="store_true", help="Ignore topics without a subscription")
    add("--use-sim-time", action="store_true", help="Use simulation time for message timestamps")
    add("-e", "--regex", default="", help="Record only topics and services containing the regular expression")
    add("--exclude-regex", default="", help="Exclude topics and services containing the regular expression")
    add("-p", "--polling-interval", type=int, default=100, dest="topic_polling_interval", help="Time in ms")
    add("-b", "--max-bag-size", type=int, default=0, dest="max_bagfile_size", help="Bytes; 0 does not split")
    add("-d", "--max-bag-duration", type=int, default=0, dest="max_bagfile_duration", help="Seconds; 0 does not split")
    add("--max-cache-size", type=int, default=100 * 1024 * 1024, help="Bytes held in each buffer of the cache")
    add("--storage-preset-profile", default="none", help="Preset configuration of the storage")
    add("--storage-config-file", default="", dest="storage_config_uri", help="YAML file with settings of the storage")
    add("--compression-mode", default="none", choices=["none", "file", "message"])
    add("--compression-format", default="", choices=rosbag2_py.get_registered_compressors())
    add("--compression-queue-size", type=int, default=1)
    add("--compression-threads", type=int, default=0)
    add("--node-name", default="rosbag2_recorder", help="Name of the recorder's node")


def _play_arguments(parser):
    add = parser.add_argument
    add("--read-ahead-queue-size", type=int, default=1000, help="Messages held in memory")
    add("-r", "--rate", type=_positive, default=1.0, help="Rate of play back")
    add("--topics", nargs="+", default=[], dest="topics_to_filter", help="Topics to play")
    add("--services", nargs="+", default=[], dest="services_to_filter", help="Services to play")
    add("--exclude-topics", nargs="+", default=[], dest="exclude_topics_to_filter", help="Topics not to play")
    add("--exclude-services", nargs="+", default=[], dest="exclude_service_events_to_filter", help="Not to play")
    add("-e", "--regex", default="", dest="regex_to_filter", help="Play only topics and services that match")
    add("-x", "--exclude-regex", default="", dest="exclude_regex_to_filter", help="Topics and services not to play")
    add("-l", "--loop", action="store_true", help="Start again at the end")
    add("-m", "--remap", nargs="+", default=[], help="Topics to be remapped: old:=new ...")
    clock = parser.add_mutually_exclusive_group()
    rate = {"type": _positive, "nargs": "?", "const": 40.0, "default": 0.0, "dest": "clock_publish_frequency"}
    clock.add_argument("--clock", help="Publish /clock at this rate in Hz", **rate)
    clock.add_argument("--clock-topics", nargs="+", default=[], help="Topics whose messages update /clock")
    clock.add_argument("--clock-topics-all", action="store_true", help="Update /clock before each message")
    add("-d", "--delay", type=_positive, default=0.0, help="Seconds to sleep before play")
    add("--start-offset", type=float, default=0.0, help="Seconds into the bag to start at")
    add("--playback-duration", type=float, default=-1.0, help="Seconds to play; negative plays to the end")
    until = parser.add_mutually_exclusive_group()
    until.add_argument("--playback-until-sec", type=float, default=-1.0, help="Stamp to play until [s]")
    until.add_argument("--playback-until-nsec", type=int, default=-1, dest="playback_until_timestamp", help="[ns]")
    add("--wait-for-all-acked", type=int, default=-1, dest="wait_acked_timeout", help="Milliseconds; 0 for ever")


def add_arguments(parser):
    """Declare the verbs."""
    verbs = parser.add_subparsers(title="Commands", metavar="<verb>")
    for name, text, main in (
        ("record", "Record ROS data to a bag", _record),
        ("play", "Play back ROS data from a bag", _play),
        ("info", "Print information about a bag to the screen", _info),
        ("convert", "Given an input bag, write out a new bag with different settings", _convert),
        ("reindex", "Reconstruct metadata file for a bag", _reindex),
    ):
        verb = verbs.add_parser(name, help=text, description=text)
        verb.set_defaults(main=main)
        if name in ("play", "info", "reindex"):
            readers = ["", *sorted(rosbag2_py.get_registered_readers())]
            verb.add_argument("bag_path", type=_path, help="Bag to open")
            verb.add_argument("-s", "--storage", dest="storage_id", default="", choices=readers)
        if name in ("record", "play"):
            _common_arguments(verb)
            (_record_arguments if name == "record" else _play_arguments)(verb)
        elif name == "info":
            verb.add_argument("-t", "--topic-name", action="store_true", help="Only display topic names.")
            verb.add_argument("-v", "--verbose", action="store_true", help="Display information on services")
        elif name == "convert":
            verb.add_argument("-i", "--input", required=True, action="append", nargs="+", metavar="uri [storage_id]")
            verb.add_argument("-o", "--output-options", required=True, help="YAML file with options for output bags")
