"""Formats of files of one gauge configuration, one file each."""
