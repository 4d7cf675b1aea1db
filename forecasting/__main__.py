"""The command line: `python -m forecasting --help`."""

from forecasting.cli.app import main

if __name__ == "__main__":
    main()
