"""The kill switch: one standard-library file, installed as it is on two machines that are not the bot's."""
