"""The models that come with the package are as good as the documents say."""
