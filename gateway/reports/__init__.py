"""Reports: figures of a class from the store, and their forms for people and machines."""
